#include "pool/records/slots.h"

#include <algorithm>
#include <mutex>
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

class FairSlots final : public Slots {
 public:
  void Configure(std::vector<BuilderSlots> builders) override {
    std::lock_guard lock(mutex_);
    std::map<std::string, BuilderUse> before = std::exchange(builders_, {});
    for (BuilderSlots& slots : builders) {
      auto known = before.find(slots.name);
      bool up = known == before.end() || known->second.up;
      std::string name = slots.name;
      builders_[name] = BuilderUse{std::move(slots), up};
    }
    CountUse();
    Assign();
  }

  void SetWeights(std::map<std::string, int> weights) override {
    std::lock_guard lock(mutex_);
    weights_ = std::move(weights);
  }

  void SetUp(const std::string& builder, bool up) override {
    std::lock_guard lock(mutex_);
    auto found = builders_.find(builder);
    if (found == builders_.end() || found->second.up == up) return;
    found->second.up = up;
    for (auto& [ticket, lease] : claims_) {
      if (!up && !lease.told && lease.claim.builder == builder) Drop(lease);
    }
    Assign();
  }

  void Begin(const std::string& build, Moment now) override {
    std::lock_guard lock(mutex_);
    builds_[build].last_sign = now;
  }

  void Restore(const Claim& claim, Moment now) override {
    std::lock_guard lock(mutex_);
    builds_[claim.build] = Life{true, now};
    next_ticket_ = std::max(next_ticket_, claim.ticket + 1);
    auto [place, added] = claims_.emplace(claim.ticket, Lease{claim, !claim.builder.empty(), now});
    auto builder = builders_.find(place->second.claim.builder);
    if (added && builder != builders_.end()) ++builder->second.in_use;
  }

  std::variant<Granted, Waiting, NoBuilder> Ask(const std::string& build,
                                                const std::string& platform,
                                                const std::string& project,
                                                Moment now) override {
    std::lock_guard lock(mutex_);
    Claim wish{build, platform, project, next_ticket_, "", 0};
    if (std::none_of(builders_.begin(), builders_.end(),
                     [&](const auto& entry) { return entry.second.Serves(wish); })) {
      return NoBuilder{};
    }
    builds_[build] = Life{true, now};
    auto found = Find(build, platform);
    bool first = found == claims_.end();
    if (first) {
      wish.turn = Turn(wish);
      found = claims_.emplace(next_ticket_++, Lease{wish}).first;
    }
    Lease& lease = found->second;
    lease.last_sign = now;
    if (!lease.claim.builder.empty() && !MayKeep(lease.claim)) Drop(lease);
    if (lease.claim.builder.empty()) Assign();
    if (!lease.claim.builder.empty()) return Granted{lease.claim, !std::exchange(lease.told, true)};
    int position = 1;
    for (const auto& [ticket, other] : claims_) {
      bool waits = other.claim.builder.empty() && other.claim.platform == platform;
      if (waits && IsBefore(other.claim, lease.claim)) ++position;
    }
    return Waiting{lease.claim, position, std::min(kWaitStep * position, kLongestWait), first};
  }

  void Alive(const std::string& build, const std::string& platform, Moment now) override {
    std::lock_guard lock(mutex_);
    auto life = builds_.find(build);
    if (life != builds_.end()) life->second.last_sign = now;
    auto found = Find(build, platform);
    if (found != claims_.end()) found->second.last_sign = now;
  }

  void Release(const std::string& build) override {
    std::lock_guard lock(mutex_);
    Forget({build});
    Assign();
  }

  Expired Expire(Moment now) override {
    std::lock_guard lock(mutex_);
    Expired expired;
    for (const auto& [build, life] : builds_) {
      milliseconds patience = life.asked ? milliseconds(kSilence) : milliseconds(kUnused);
      if (now - life.last_sign > patience) expired.builds.push_back(build);
    }
    Forget({expired.builds.begin(), expired.builds.end()});
    for (auto entry = claims_.begin(); entry != claims_.end();) {
      if (now - entry->second.last_sign <= kSilence) {
        ++entry;
        continue;
      }
      expired.claims.push_back(entry->second.claim);
      Drop(entry->second);
      entry = claims_.erase(entry);
    }
    Assign();
    return expired;
  }

  bool Holds(const std::string& build, const std::string& builder) const override {
    std::lock_guard lock(mutex_);
    return std::any_of(claims_.begin(), claims_.end(), [&](const auto& entry) {
      const Claim& claim = entry.second.claim;
      return claim.build == build && claim.builder == builder && MayKeep(claim);
    });
  }

  std::map<std::string, PlatformLoad> Load() const override {
    std::lock_guard lock(mutex_);
    std::map<std::string, PlatformLoad> loads;
    for (const auto& [name, builder] : builders_) {
      PlatformLoad& load = loads[builder.slots.platform];
      load.slots += builder.slots.slots;
      load.in_use += builder.in_use;
    }
    for (const auto& [ticket, lease] : claims_) {
      PlatformLoad& load = loads[lease.claim.platform];
      ProjectLoad& project = load.projects[lease.claim.project];
      bool waits = lease.claim.builder.empty();
      load.waiting += waits ? 1 : 0;
      ++(waits ? project.waiting : project.in_use);
    }
    return loads;
  }

  std::map<std::string, bool> Up() const override {
    std::lock_guard lock(mutex_);
    std::map<std::string, bool> up;
    for (const auto& [name, builder] : builders_)
      up[name] = builder.up;
    return up;
  }

 private:
  using Claims = std::map<std::int64_t, Lease>;  // by ticket

  Claims::iterator Find(const std::string& build, const std::string& platform) {
    return std::find_if(claims_.begin(), claims_.end(), [&](const auto& entry) {
      return entry.second.claim.build == build && entry.second.claim.platform == platform;
    });
  }

  /// Whether the claim's builder is still there, and still for its project.
  bool MayKeep(const Claim& claim) const {
    auto builder = builders_.find(claim.builder);
    return builder != builders_.end() && builder->second.Serves(claim);
  }

  /// Takes the builder away; the claim waits again.
  void Drop(Lease& lease) {
    auto builder = builders_.find(lease.claim.builder);
    if (builder != builders_.end()) --builder->second.in_use;
    lease.claim.builder.clear();
    lease.told = false;
  }

  void Forget(const std::set<std::string>& builds) {
    for (const std::string& build : builds)
      builds_.erase(build);
    for (auto entry = claims_.begin(); entry != claims_.end();) {
      if (!builds.contains(entry->second.claim.build)) {
        ++entry;
        continue;
      }
      Drop(entry->second);
      entry = claims_.erase(entry);
    }
  }

  void CountUse() {
    for (const auto& [ticket, lease] : claims_) {
      auto builder = builders_.find(lease.claim.builder);
      if (builder != builders_.end()) ++builder->second.in_use;
    }
  }

  /// The turn of a claim that is not here yet.
  std::int64_t Turn(const Claim& wish) const {
    std::vector<Claim> claims;
    for (const auto& [ticket, lease] : claims_) {
      if (lease.claim.platform != wish.platform) continue;
      auto builder = builders_.find(lease.claim.builder);
      bool for_some = builder != builders_.end() && !builder->second.slots.projects.empty();
      if (!for_some) claims.push_back(lease.claim);
    }
    auto weight = weights_.find(wish.project);
    return NextTurn(claims, wish.project, weight == weights_.end() ? 1 : weight->second);
  }

  /// Gives free slots to those who are next.
  void Assign() {
    std::vector<BuilderUse> builders;
    for (const auto& [name, builder] : builders_) {
      if (builder.up && builder.in_use < builder.slots.slots) builders.push_back(builder);
    }
    if (builders.empty()) return;
    std::vector<Claim> waiting;
    for (const auto& [ticket, lease] : claims_) {
      if (lease.claim.builder.empty()) waiting.push_back(lease.claim);
    }
    for (const Grant& grant : Choose(std::move(waiting), std::move(builders))) {
      claims_.at(grant.ticket).claim.builder = grant.builder;
      ++builders_.at(grant.builder).in_use;
    }
  }

  mutable std::mutex mutex_;
  std::map<std::string, BuilderUse> builders_;
  std::map<std::string, int> weights_;  // by project
  std::map<std::string, Life> builds_;
  Claims claims_;
  std::int64_t next_ticket_ = 1;
};

}  // namespace

std::unique_ptr<Slots> MakeSlots() {
  return std::make_unique<FairSlots>();
}

}  // namespace depot::records
