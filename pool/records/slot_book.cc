#include "pool/records/slot_book.h"

#include <algorithm>
#include <utility>

namespace depot::records {
namespace {

using std::chrono::milliseconds;

// The first in the queue asks four times a second: that is how long a free slot lies idle at most.
constexpr milliseconds kWaitStep(250);
constexpr milliseconds kLongestWait(5000);

/// Whether a builder is this one, or was found by the source of this name.
bool IsOf(const std::string& builder, const std::string& name) {
  return builder.starts_with(name) &&
         (builder.size() == name.size() || builder[name.size()] == '/');
}

}  // namespace

void SlotBook::Configure(std::vector<BuilderSlots> wanted) {
  std::map<std::string, BuilderUse> before = std::exchange(builders, {});
  for (BuilderSlots& slots : wanted) {
    auto known = before.find(slots.name);
    bool up = known == before.end() || known->second.up;
    std::string name = slots.name;
    builders[name] = BuilderUse{std::move(slots), up};
  }
  CountUse();
}

Answer SlotBook::Ask(const std::string& build,
                     const std::string& platform,
                     const std::string& project,
                     Slots::Moment moment) {
  now = moment;
  Claim wish{build, platform, project, next_ticket, "", 0};
  wish.since = moment;
  if (!IsServed(wish)) return NoBuilder{};
  builds[build] = Life{true, moment};
  auto found = Find(build, platform);
  bool first = found == claims.end();
  if (first) {
    wish.turn = Turn(wish);
    found = claims.emplace(next_ticket++, Lease{wish}).first;
  }
  Lease& lease = found->second;
  lease.last_sign = moment;
  // Who asks again cannot reach what it has: only a builder that is up may still be reached.
  const BuilderUse* has = BuilderOf(lease.claim);
  if (!lease.claim.builder.empty() && (has == nullptr || !has->up || !has->Serves(wish))) {
    Drop(lease);
  }
  // Also for others, whose home may not have come free in time.
  Assign();
  if (!lease.claim.builder.empty()) return Granted{lease.claim, !std::exchange(lease.told, true)};
  Waiting waiting = WaitAt(lease.claim, PositionOf(lease.claim));
  waiting.first = first;
  return waiting;
}

std::optional<Answer> SlotBook::AskAgain(const std::string& build,
                                         const std::string& platform) const {
  auto found = Find(build, platform);
  if (found == claims.end()) return std::nullopt;
  const auto& [claim, told, last_sign] = found->second;
  if (claim.builder.empty()) return WaitAt(claim, PositionOf(claim));
  const BuilderUse* has = BuilderOf(claim);
  if (!told || has == nullptr || !has->up || !has->Serves(claim)) return std::nullopt;
  return Granted{claim};
}

Waiting SlotBook::Stall(const std::string& build,
                        const std::string& platform,
                        const std::string& project) const {
  auto found = Find(build, platform);
  Claim claim{build, platform, project, INT64_MAX, "", INT64_MAX};
  if (found != claims.end()) claim = found->second.claim;
  Waiting waiting = WaitAt(claim, PositionOf(claim));
  waiting.lack = Lack::kStore;
  return waiting;
}

SlotBook::Claims::const_iterator SlotBook::Find(const std::string& build,
                                                const std::string& platform) const {
  return std::find_if(claims.begin(), claims.end(), [&](const auto& entry) {
    return entry.second.claim.build == build && entry.second.claim.platform == platform;
  });
}

void SlotBook::DropUntold() {
  for (auto& [ticket, lease] : claims) {
    const BuilderUse* builder = BuilderOf(lease.claim);
    if (builder != nullptr && !builder->up && !lease.told) Drop(lease);
  }
}

SlotBook::Claims::iterator SlotBook::Find(const std::string& build, const std::string& platform) {
  return std::find_if(claims.begin(), claims.end(), [&](const auto& entry) {
    return entry.second.claim.build == build && entry.second.claim.platform == platform;
  });
}

bool SlotBook::IsServed(const Claim& wish) const {
  return std::any_of(builders.begin(), builders.end(),
                     [&](const auto& entry) { return entry.second.Serves(wish); });
}

const BuilderUse* SlotBook::BuilderOf(const Claim& claim) const {
  auto builder = builders.find(claim.builder);
  return builder == builders.end() ? nullptr : &builder->second;
}

bool SlotBook::MayKeep(const Claim& claim) const {
  const BuilderUse* builder = BuilderOf(claim);
  if (builder != nullptr) return builder->Serves(claim);
  auto source = builders.find(claim.builder.substr(0, claim.builder.find('/')));
  return source != builders.end() && source->second.slots.slots == 0 &&
         source->second.Serves(claim);
}

void SlotBook::Drop(Lease& lease) {
  auto builder = builders.find(lease.claim.builder);
  if (builder != builders.end()) --builder->second.in_use;
  lease.claim.builder.clear();
  lease.told = false;
}

void SlotBook::Forget(const std::set<std::string>& gone) {
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

std::optional<Claim> SlotBook::Take(std::int64_t ticket) {
  auto found = claims.find(ticket);
  if (found == claims.end()) return std::nullopt;
  Claim claim = found->second.claim;
  Drop(found->second);
  claims.erase(found);
  return claim;
}

void SlotBook::CountUse() {
  for (auto& [name, builder] : builders)
    builder.in_use = 0;
  for (const auto& [ticket, lease] : claims) {
    auto builder = builders.find(lease.claim.builder);
    if (builder != builders.end()) ++builder->second.in_use;
  }
}

// The turn of a claim that is not here yet.
std::int64_t SlotBook::Turn(const Claim& wish) const {
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

// How many more slots of the platform the claim's project may have; nullopt = any number.
std::optional<int> SlotBook::Room(const Claim& claim) const {
  auto limit = limits.find(claim.project);
  if (limit == limits.end()) return std::nullopt;
  auto has = [&](const auto& entry) {
    const Claim& other = entry.second.claim;
    return !other.builder.empty() && other.project == claim.project &&
           other.platform == claim.platform;
  };
  return limit->second - static_cast<int>(std::count_if(claims.begin(), claims.end(), has));
}

bool SlotBook::HasFree() const {
  return std::any_of(builders.begin(), builders.end(),
                     [](const auto& entry) { return entry.second.IsFree(); });
}

// Only a wait for a home ends by itself.
Slots::Moment SlotBook::NextDue() const {
  Slots::Moment next = Slots::Moment::max();
  for (const auto& [ticket, lease] : claims) {
    const Slots::Moment end = lease.claim.since + homes.wait;
    if (lease.claim.builder.empty() && end > now) next = std::min(next, end);
  }
  return next;
}

void SlotBook::Assign() {
  due = Slots::Moment::max();
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
  due = NextDue();
}

Lack SlotBook::LackOf(const Claim& claim) const {
  bool up = false;
  bool free = false;
  for (const auto& [name, builder] : builders) {
    if (!builder.Serves(claim)) continue;
    up = up || (builder.up && builder.slots.slots > 0);
    free = free || builder.IsFree();
  }
  if (!up) return Lack::kBuilder;
  std::optional<int> room = Room(claim);
  if (room && *room <= 0) return Lack::kLimit;
  return free && HomesCount(homes) ? Lack::kHome : Lack::kSlot;
}

Waiting SlotBook::WaitAt(const Claim& claim, int position) const {
  return {claim, position, std::min(kWaitStep * position, kLongestWait), false, LackOf(claim)};
}

int SlotBook::PositionOf(const Claim& claim) const {
  return 1 + static_cast<int>(std::count_if(claims.begin(), claims.end(), [&](const auto& entry) {
           const Claim& other = entry.second.claim;
           return other.builder.empty() && other.platform == claim.platform &&
                  IsBefore(other, claim);
         }));
}

bool SlotBook::Holds(const std::string& build, const std::string& builder) const {
  return std::any_of(claims.begin(), claims.end(), [&](const auto& entry) {
    const Claim& claim = entry.second.claim;
    return claim.build == build && IsOf(claim.builder, builder) && MayKeep(claim);
  });
}

int SlotBook::InUse(const std::string& builder) const {
  auto found = builders.find(builder);
  return found == builders.end() ? 0 : found->second.in_use;
}

std::vector<Waiting> SlotBook::Queue() const {
  std::vector<Claim> waiting;
  for (const auto& [ticket, lease] : claims) {
    if (lease.claim.builder.empty()) waiting.push_back(lease.claim);
  }
  std::sort(waiting.begin(), waiting.end(), [](const Claim& one, const Claim& other) {
    return one.platform != other.platform ? one.platform < other.platform : IsBefore(one, other);
  });
  std::vector<Waiting> queue;
  for (const Claim& claim : waiting) {
    bool next = !queue.empty() && queue.back().claim.platform == claim.platform;
    queue.push_back(WaitAt(claim, next ? queue.back().position + 1 : 1));
  }
  return queue;
}

std::map<std::string, PlatformLoad> SlotBook::Load() const {
  std::map<std::string, PlatformLoad> loads;
  for (const auto& [name, builder] : builders) {
    PlatformLoad& load = loads[builder.slots.platform];
    load.slots += builder.slots.slots;
    load.in_use += builder.in_use;
  }
  for (const auto& [ticket, lease] : claims) {
    PlatformLoad& load = loads[lease.claim.platform];
    ProjectLoad& project = load.projects[lease.claim.project];
    bool waits = lease.claim.builder.empty();
    load.waiting += waits ? 1 : 0;
    ++(waits ? project.waiting : project.in_use);
  }
  return loads;
}

std::map<std::string, std::vector<std::string>> SlotBook::Homes(
    const std::vector<std::string>& projects) const {
  std::map<std::string, std::vector<BuilderUse>> platforms;
  for (const auto& [name, builder] : builders)
    platforms[builder.slots.platform].push_back(builder);
  std::map<std::string, std::vector<std::string>> at_home;
  for (const auto& [platform, its] : platforms) {
    for (const std::string& project : projects) {
      Claim wish;
      wish.platform = platform;
      wish.project = project;
      std::vector<std::size_t> order = OrderFor(wish, its);
      for (std::size_t i = 0; i < std::min(order.size(), kHomes); ++i)
        at_home[its[order[i]].slots.name].push_back(project);
    }
  }
  return at_home;
}

std::map<std::string, bool> SlotBook::Up() const {
  std::map<std::string, bool> up;
  for (const auto& [name, builder] : builders) {
    if (builder.slots.slots > 0) up[name] = builder.up;
  }
  return up;
}

void BookSlots::SetWeights(std::map<std::string, int> weights) {
  std::lock_guard lock(mutex_);
  book_.weights = std::move(weights);
  book_.due = Moment(0);
}

void BookSlots::SetLimits(std::map<std::string, int> limits) {
  std::lock_guard lock(mutex_);
  book_.limits = std::move(limits);
  book_.due = Moment(0);
}

void BookSlots::SetHomes(const HomeRules& rules) {
  std::lock_guard lock(mutex_);
  book_.homes = rules;
  book_.due = Moment(0);
}

bool BookSlots::Holds(const std::string& build, const std::string& builder) const {
  std::lock_guard lock(mutex_);
  return book_.Holds(build, builder);
}

int BookSlots::InUse(const std::string& builder) const {
  std::lock_guard lock(mutex_);
  return book_.InUse(builder);
}

std::vector<Waiting> BookSlots::Queue() const {
  std::lock_guard lock(mutex_);
  return book_.Queue();
}

std::map<std::string, PlatformLoad> BookSlots::Load() const {
  std::lock_guard lock(mutex_);
  return book_.Load();
}

std::map<std::string, std::vector<std::string>> BookSlots::Homes(
    const std::vector<std::string>& projects) const {
  SlotBook book;
  {
    std::lock_guard lock(mutex_);
    book.builders = book_.builders;
  }
  return book.Homes(projects);
}

std::map<std::string, bool> BookSlots::Up() const {
  std::lock_guard lock(mutex_);
  return book_.Up();
}

}  // namespace depot::records
