#include "pool/records/turns.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <string_view>

namespace depot::records {
namespace {

bool IsBetter(const BuilderUse& left, const BuilderUse& right) {
  if (left.slots.projects.empty() != right.slots.projects.empty()) {
    return right.slots.projects.empty();
  }
  return left.in_use * right.slots.slots < right.in_use * left.slots.slots;
}

/// The weight of a cache for a project. FNV-1a, then the finalizer of MurmurHash3, because all bits
/// must depend on the last letters.
std::uint64_t Rank(const std::string& project, const std::string& cache) {
  std::uint64_t hash = 0xcbf29ce484222325U;
  const auto add = [&](std::string_view text) {
    for (char c : text)
      hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  };
  add(project);
  add(std::string_view("", 1));
  add(cache);
  hash = (hash ^ (hash >> 33)) * 0xff51afd7ed558ccdU;
  hash = (hash ^ (hash >> 33)) * 0xc4ceb9fe1a85ec53U;
  return hash ^ (hash >> 33);
}

/// One round of giving slots away.
class Dealer {
 public:
  /// `waiting` is in the order of the queue.
  Dealer(std::vector<Claim> waiting, std::vector<BuilderUse> builders, const ChoiceRules& rules)
      : waiting_(std::move(waiting)),
        builders_(std::move(builders)),
        homes_(rules.homes),
        now_(rules.now),
        room_(rules.room) {}

  std::vector<Grant> Deal() {
    while (HomesCount(homes_) ? NextWithHomes() : NextInTurn()) {
    }
    return std::move(grants_);
  }

 private:
  using Order = std::vector<std::size_t>;

  bool NextInTurn() {
    for (std::size_t i = 0; i < waiting_.size(); ++i) {
      if (!HasRoom(waiting_[i])) continue;
      BuilderUse* best = nullptr;
      for (BuilderUse& builder : builders_) {
        if (!builder.IsFree() || !builder.Serves(waiting_[i])) continue;
        if (best == nullptr || IsBetter(builder, *best)) best = &builder;
      }
      if (best != nullptr) return Give(i, *best, Grounds::kTurn);
    }
    return false;
  }

  bool NextWithHomes() {
    for (std::size_t i = 0; i < waiting_.size(); ++i) {
      if (waiting_[i].passed >= homes_.passes && GiveAny(i, Grounds::kPassed)) return true;
    }
    for (std::size_t i = 0; i < waiting_.size(); ++i) {
      BuilderUse* home = FirstFree(waiting_[i], kHomes);
      if (home != nullptr) return Give(i, *home, Grounds::kHome);
    }
    for (std::size_t i = 0; i < waiting_.size(); ++i) {
      if (FirstFree(waiting_[i], builders_.size()) == nullptr) continue;
      return now_ - waiting_[i].since >= homes_.wait && GiveAny(i, Grounds::kWaited);
    }
    return false;
  }

  /// The first free one among the best `many` for a claim that may have one.
  BuilderUse* FirstFree(const Claim& claim, std::size_t many) {
    if (!HasRoom(claim)) return nullptr;
    const Order& order = OrderOf(claim);
    for (std::size_t i = 0; i < std::min(many, order.size()); ++i) {
      if (builders_[order[i]].IsFree()) return &builders_[order[i]];
    }
    return nullptr;
  }

  bool GiveAny(std::size_t index, Grounds otherwise) {
    BuilderUse* home = FirstFree(waiting_[index], kHomes);
    if (home != nullptr) return Give(index, *home, Grounds::kHome);
    BuilderUse* any = FirstFree(waiting_[index], builders_.size());
    return any != nullptr && Give(index, *any, otherwise);
  }

  bool Give(std::size_t index, BuilderUse& builder, Grounds grounds) {
    const Claim& claim = waiting_[index];
    Grant grant{claim.ticket, builder.slots.name, grounds};
    for (std::size_t i = 0; i < index; ++i) {
      if (!HasRoom(waiting_[i]) || !builder.Serves(waiting_[i])) continue;
      ++waiting_[i].passed;
      grant.passed.push_back(waiting_[i].ticket);
    }
    ++builder.in_use;
    auto room = room_.find({claim.platform, claim.project});
    if (room != room_.end()) --room->second;
    waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(index));
    grants_.push_back(std::move(grant));
    return true;
  }

  bool HasRoom(const Claim& claim) const {
    if (room_.empty()) return true;
    auto room = room_.find({claim.platform, claim.project});
    return room == room_.end() || room->second > 0;
  }

  const Order& OrderOf(const Claim& claim) {
    auto [place, added] = orders_.try_emplace({claim.platform, claim.project});
    if (added) place->second = OrderFor(claim, builders_);
    return place->second;
  }

  std::vector<Claim> waiting_;
  std::vector<BuilderUse> builders_;
  const HomeRules homes_;
  const std::chrono::milliseconds now_;
  std::map<std::pair<std::string, std::string>, int> room_;
  std::map<std::pair<std::string, std::string>, Order> orders_;
  std::vector<Grant> grants_;
};

}  // namespace

std::int64_t NextTurn(const std::vector<Claim>& claims, const std::string& project, int weight) {
  std::optional<std::int64_t> next;  // of all that wait
  std::int64_t latest = 0;           // of all that have a slot
  std::int64_t own = 0;
  for (const Claim& claim : claims) {
    if (claim.builder.empty()) {
      next = std::min(next.value_or(claim.turn), claim.turn);
    } else {
      latest = std::max(latest, claim.turn);
    }
    if (claim.project != project) continue;
    own = std::max(own, claim.turn + kWholeTurn / std::clamp(weight, 1, kMostWeight));
  }
  return std::max(next.value_or(latest), own);
}

bool IsBefore(const Claim& one, const Claim& other) {
  return one.turn != other.turn ? one.turn < other.turn : one.ticket < other.ticket;
}

bool BuilderUse::IsFree() const {
  return up && in_use < slots.slots;
}

bool BuilderUse::Serves(const Claim& claim) const {
  if (slots.platform != claim.platform) return false;
  return slots.projects.empty() || std::find(slots.projects.begin(), slots.projects.end(),
                                             claim.project) != slots.projects.end();
}

std::vector<std::size_t> OrderFor(const Claim& claim, const std::vector<BuilderUse>& builders) {
  std::vector<std::pair<std::pair<bool, std::uint64_t>, std::size_t>> ranked;
  for (std::size_t i = 0; i < builders.size(); ++i) {
    const BuilderSlots& slots = builders[i].slots;
    if (!builders[i].up || slots.slots == 0 || !builders[i].Serves(claim)) continue;
    const std::string& cache = slots.cache.empty() ? slots.name : slots.cache;
    ranked.push_back({{!slots.projects.empty(), Rank(claim.project, cache)}, i});
  }
  std::sort(ranked.begin(), ranked.end(), std::greater<>());
  std::vector<std::size_t> order;
  for (const auto& [rank, index] : ranked)
    order.push_back(index);
  return order;
}

std::vector<Grant> Choose(std::vector<Claim> waiting,
                          std::vector<BuilderUse> builders,
                          const ChoiceRules& rules) {
  std::sort(waiting.begin(), waiting.end(), IsBefore);
  return Dealer(std::move(waiting), std::move(builders), rules).Deal();
}

}  // namespace depot::records
