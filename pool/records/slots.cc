#include "pool/records/slots.h"

#include <algorithm>
#include <mutex>
#include <optional>
#include <set>
#include <utility>

#include "pool/records/turns.h"

namespace depot::records {
namespace {

using std::chrono::milliseconds;

constexpr std::chrono::minutes kUnused(10);

// The first in the queue asks four times a second: that is how long a free slot lies idle at most.
constexpr milliseconds kWaitStep(250);
constexpr milliseconds kLongestWait(5000);

/// A claim for as long as its build gives signs of life: first it waits, then it has a slot.
struct Lease {
  Claim claim;
  bool told = false;  ///< its build knows the builder it has
  Slots::Moment last_sign{};
};

struct Life {
  bool asked = false;
  Slots::Moment last_sign{};
};

/// Whether a builder is this one, or was found by the source of this name.
bool IsOf(const std::string& builder, const std::string& name) {
  return builder.starts_with(name) &&
         (builder.size() == name.size() || builder[name.size()] == '/');
}

/// Who has what and who waits, without locks: the state of FairSlots.
struct SlotBook {
  using Claims = std::map<std::int64_t, Lease>;  // by ticket

  std::map<std::string, BuilderUse> builders;
  std::map<std::string, int> weights;  // by project
  std::map<std::string, int> limits;   // by project
  HomeRules homes;
  std::map<std::string, Life> builds;
  Claims claims;
  std::int64_t next_ticket = 1;
  Slots::Moment now{0};  ///< the latest that was heard of

  Claims::iterator Find(const std::string& build, const std::string& platform) {
    return std::find_if(claims.begin(), claims.end(), [&](const auto& entry) {
      return entry.second.claim.build == build && entry.second.claim.platform == platform;
    });
  }

  bool IsServed(const Claim& wish) const {
    return std::any_of(builders.begin(), builders.end(),
                       [&](const auto& entry) { return entry.second.Serves(wish); });
  }

  /// The claim's builder, or nullptr when it has none, or it is gone.
  const BuilderUse* BuilderOf(const Claim& claim) const {
    auto builder = builders.find(claim.builder);
    return builder == builders.end() ? nullptr : &builder->second;
  }

  /// Whether the claim's builder is still there, and still for its project. One that was found by a
  /// source may not have been found again yet, as after a restart.
  bool MayKeep(const Claim& claim) const {
    const BuilderUse* builder = BuilderOf(claim);
    if (builder != nullptr) return builder->Serves(claim);
    auto source = builders.find(claim.builder.substr(0, claim.builder.find('/')));
    return source != builders.end() && source->second.slots.slots == 0 &&
           source->second.Serves(claim);
  }

  /// Takes the builder away; the claim waits again.
  void Drop(Lease& lease) {
    auto builder = builders.find(lease.claim.builder);
    if (builder != builders.end()) --builder->second.in_use;
    lease.claim.builder.clear();
    lease.told = false;
  }

  void Forget(const std::set<std::string>& gone) {
    for (const std::string& build : gone)
      builds.erase(build);
    for (auto entry = claims.begin(); entry != claims.end();) {
      if (!gone.contains(entry->second.claim.build)) {
        ++entry;
        continue;
      }
      Drop(entry->second);
      entry = claims.erase(entry);
    }
  }

  void CountUse() {
    for (const auto& [ticket, lease] : claims) {
      auto builder = builders.find(lease.claim.builder);
      if (builder != builders.end()) ++builder->second.in_use;
    }
  }

  /// The turn of a claim that is not here yet.
  std::int64_t Turn(const Claim& wish) const {
    std::vector<Claim> rivals;
    for (const auto& [ticket, lease] : claims) {
      if (lease.claim.platform != wish.platform) continue;
      const BuilderUse* builder = BuilderOf(lease.claim);
      bool for_some = builder != nullptr && !builder->slots.projects.empty();
      if (!for_some) rivals.push_back(lease.claim);
    }
    auto weight = weights.find(wish.project);
    return NextTurn(rivals, wish.project, weight == weights.end() ? 1 : weight->second);
  }

  /// How many more slots of the platform the claim's project may have; nullopt = any number.
  std::optional<int> Room(const Claim& claim) const {
    auto limit = limits.find(claim.project);
    if (limit == limits.end()) return std::nullopt;
    auto has = [&](const auto& entry) {
      const Claim& other = entry.second.claim;
      return !other.builder.empty() && other.project == claim.project &&
             other.platform == claim.platform;
    };
    return limit->second - static_cast<int>(std::count_if(claims.begin(), claims.end(), has));
  }

  bool HasFree() const {
    return std::any_of(builders.begin(), builders.end(),
                       [](const auto& entry) { return entry.second.IsFree(); });
  }

  /// Gives free slots to those who are next.
  void Assign() {
    if (!HasFree()) return;
    ChoiceRules rules{homes, now, {}};
    std::vector<Claim> waiting;
    for (const auto& [ticket, lease] : claims) {
      const Claim& claim = lease.claim;
      if (!claim.builder.empty()) continue;
      waiting.push_back(claim);
      auto [room, added] = rules.room.try_emplace({claim.platform, claim.project}, 0);
      if (!added) continue;
      if (std::optional<int> left = Room(claim)) {
        room->second = *left;
      } else {
        rules.room.erase(room);
      }
    }
    if (waiting.empty()) return;
    std::vector<BuilderUse> uses;
    for (const auto& [name, builder] : builders)
      uses.push_back(builder);
    for (const Grant& grant : Choose(std::move(waiting), std::move(uses), rules)) {
      Claim& claim = claims.at(grant.ticket).claim;
      claim.builder = grant.builder;
      claim.grounds = grant.grounds;
      ++builders.at(grant.builder).in_use;
      for (std::int64_t passed : grant.passed)
        ++claims.at(passed).claim.passed;
    }
  }

  Lack LackOf(const Claim& claim) const {
    std::optional<int> room = Room(claim);
    if (room && *room <= 0) return Lack::kLimit;
    bool free = std::any_of(builders.begin(), builders.end(), [&](const auto& entry) {
      return entry.second.IsFree() && entry.second.Serves(claim);
    });
    return free ? Lack::kHome : Lack::kSlot;
  }

  Waiting WaitAt(const Claim& claim, int position) const {
    return {claim, position, std::min(kWaitStep * position, kLongestWait), false, LackOf(claim)};
  }

  int PositionOf(const Claim& claim) const {
    return 1 + static_cast<int>(std::count_if(claims.begin(), claims.end(), [&](const auto& entry) {
             const Claim& other = entry.second.claim;
             return other.builder.empty() && other.platform == claim.platform &&
                    IsBefore(other, claim);
           }));
  }
};

class FairSlots final : public Slots {
 public:
  void Configure(std::vector<BuilderSlots> builders) override {
    std::lock_guard lock(mutex_);
    std::map<std::string, BuilderUse> before = std::exchange(book_.builders, {});
    for (BuilderSlots& slots : builders) {
      auto known = before.find(slots.name);
      bool up = known == before.end() || known->second.up;
      std::string name = slots.name;
      book_.builders[name] = BuilderUse{std::move(slots), up};
    }
    book_.CountUse();
    book_.Assign();
  }

  void SetWeights(std::map<std::string, int> weights) override {
    std::lock_guard lock(mutex_);
    book_.weights = std::move(weights);
  }

  void SetLimits(std::map<std::string, int> limits) override {
    std::lock_guard lock(mutex_);
    book_.limits = std::move(limits);
  }

  void SetHomes(const HomeRules& rules) override {
    std::lock_guard lock(mutex_);
    book_.homes = rules;
  }

  void SetUp(const std::string& builder, bool up) override {
    std::lock_guard lock(mutex_);
    auto found = book_.builders.find(builder);
    if (found == book_.builders.end() || found->second.up == up) return;
    found->second.up = up;
    for (auto& [ticket, lease] : book_.claims) {
      if (!up && !lease.told && lease.claim.builder == builder) book_.Drop(lease);
    }
    book_.Assign();
  }

  void Begin(const std::string& build, Moment now) override {
    std::lock_guard lock(mutex_);
    book_.builds[build].last_sign = now;
  }

  void Restore(const Claim& claim, Moment now) override {
    std::lock_guard lock(mutex_);
    book_.builds[claim.build] = Life{true, now};
    book_.next_ticket = std::max(book_.next_ticket, claim.ticket + 1);
    auto [place, added] =
        book_.claims.emplace(claim.ticket, Lease{claim, !claim.builder.empty(), now});
    place->second.claim.since = now;
    auto builder = book_.builders.find(place->second.claim.builder);
    if (added && builder != book_.builders.end()) ++builder->second.in_use;
  }

  std::variant<Granted, Waiting, NoBuilder> Ask(const std::string& build,
                                                const std::string& platform,
                                                const std::string& project,
                                                Moment now) override {
    std::lock_guard lock(mutex_);
    book_.now = now;
    Claim wish{build, platform, project, book_.next_ticket, "", 0};
    wish.since = now;
    if (!book_.IsServed(wish)) return NoBuilder{};
    book_.builds[build] = Life{true, now};
    auto found = book_.Find(build, platform);
    bool first = found == book_.claims.end();
    if (first) {
      wish.turn = book_.Turn(wish);
      found = book_.claims.emplace(book_.next_ticket++, Lease{wish}).first;
    }
    Lease& lease = found->second;
    lease.last_sign = now;
    // Who asks again cannot reach what it has: only a builder that is up may still be reached.
    const BuilderUse* has = book_.BuilderOf(lease.claim);
    if (!lease.claim.builder.empty() && (has == nullptr || !has->up || !has->Serves(wish))) {
      book_.Drop(lease);
    }
    // Also for others, whose home may not have come free in time.
    book_.Assign();
    if (!lease.claim.builder.empty()) return Granted{lease.claim, !std::exchange(lease.told, true)};
    Waiting waiting = book_.WaitAt(lease.claim, book_.PositionOf(lease.claim));
    waiting.first = first;
    return waiting;
  }

  void Alive(const std::string& build, const std::string& platform, Moment now) override {
    std::lock_guard lock(mutex_);
    auto life = book_.builds.find(build);
    if (life != book_.builds.end()) life->second.last_sign = now;
    auto found = book_.Find(build, platform);
    if (found != book_.claims.end()) found->second.last_sign = now;
  }

  void Release(const std::string& build) override {
    std::lock_guard lock(mutex_);
    book_.Forget({build});
    book_.Assign();
  }

  Expired Expire(Moment now) override {
    std::lock_guard lock(mutex_);
    book_.now = now;
    Expired expired;
    for (const auto& [build, life] : book_.builds) {
      milliseconds patience = life.asked ? milliseconds(kSilence) : milliseconds(kUnused);
      if (now - life.last_sign > patience) expired.builds.push_back(build);
    }
    book_.Forget({expired.builds.begin(), expired.builds.end()});
    for (auto entry = book_.claims.begin(); entry != book_.claims.end();) {
      if (now - entry->second.last_sign <= kSilence) {
        ++entry;
        continue;
      }
      expired.claims.push_back(entry->second.claim);
      book_.Drop(entry->second);
      entry = book_.claims.erase(entry);
    }
    book_.Assign();
    return expired;
  }

  bool Holds(const std::string& build, const std::string& builder) const override {
    std::lock_guard lock(mutex_);
    return std::any_of(book_.claims.begin(), book_.claims.end(), [&](const auto& entry) {
      const Claim& claim = entry.second.claim;
      return claim.build == build && IsOf(claim.builder, builder) && book_.MayKeep(claim);
    });
  }

  int InUse(const std::string& builder) const override {
    std::lock_guard lock(mutex_);
    auto found = book_.builders.find(builder);
    return found == book_.builders.end() ? 0 : found->second.in_use;
  }

  std::vector<Waiting> Queue() const override {
    std::lock_guard lock(mutex_);
    std::vector<Claim> waiting;
    for (const auto& [ticket, lease] : book_.claims) {
      if (lease.claim.builder.empty()) waiting.push_back(lease.claim);
    }
    std::sort(waiting.begin(), waiting.end(), [](const Claim& one, const Claim& other) {
      return one.platform != other.platform ? one.platform < other.platform : IsBefore(one, other);
    });
    std::vector<Waiting> queue;
    for (const Claim& claim : waiting) {
      bool next = !queue.empty() && queue.back().claim.platform == claim.platform;
      queue.push_back(book_.WaitAt(claim, next ? queue.back().position + 1 : 1));
    }
    return queue;
  }

  std::map<std::string, PlatformLoad> Load() const override {
    std::lock_guard lock(mutex_);
    std::map<std::string, PlatformLoad> loads;
    for (const auto& [name, builder] : book_.builders) {
      PlatformLoad& load = loads[builder.slots.platform];
      load.slots += builder.slots.slots;
      load.in_use += builder.in_use;
    }
    for (const auto& [ticket, lease] : book_.claims) {
      PlatformLoad& load = loads[lease.claim.platform];
      ProjectLoad& project = load.projects[lease.claim.project];
      bool waits = lease.claim.builder.empty();
      load.waiting += waits ? 1 : 0;
      ++(waits ? project.waiting : project.in_use);
    }
    return loads;
  }

  std::map<std::string, std::vector<std::string>> Homes(
      const std::vector<std::string>& projects) const override {
    std::map<std::string, std::vector<BuilderUse>> platforms;
    {
      std::lock_guard lock(mutex_);
      for (const auto& [name, builder] : book_.builders)
        platforms[builder.slots.platform].push_back(builder);
    }
    std::map<std::string, std::vector<std::string>> homes;
    for (const auto& [platform, builders] : platforms) {
      for (const std::string& project : projects) {
        Claim wish;
        wish.platform = platform;
        wish.project = project;
        std::vector<std::size_t> order = OrderFor(wish, builders);
        for (std::size_t i = 0; i < std::min(order.size(), kHomes); ++i)
          homes[builders[order[i]].slots.name].push_back(project);
      }
    }
    return homes;
  }

  std::map<std::string, bool> Up() const override {
    std::lock_guard lock(mutex_);
    std::map<std::string, bool> up;
    for (const auto& [name, builder] : book_.builders) {
      if (builder.slots.slots > 0) up[name] = builder.up;
    }
    return up;
  }

 private:
  mutable std::mutex mutex_;
  SlotBook book_;
};

}  // namespace

std::unique_ptr<Slots> MakeSlots() {
  return std::make_unique<FairSlots>();
}

}  // namespace depot::records
