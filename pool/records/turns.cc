#include "pool/records/turns.h"

#include <algorithm>
#include <optional>

namespace depot::records {
namespace {

bool IsFree(const BuilderUse& builder) {
  return builder.up && builder.in_use < builder.slots.slots;
}

bool IsBetter(const BuilderUse& left, const BuilderUse& right) {
  if (left.slots.projects.empty() != right.slots.projects.empty()) {
    return right.slots.projects.empty();
  }
  return left.in_use * right.slots.slots < right.in_use * left.slots.slots;
}

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

bool BuilderUse::Serves(const Claim& claim) const {
  if (slots.platform != claim.platform) return false;
  return slots.projects.empty() || std::find(slots.projects.begin(), slots.projects.end(),
                                             claim.project) != slots.projects.end();
}

std::vector<Grant> Choose(std::vector<Claim> waiting, std::vector<BuilderUse> builders) {
  std::vector<Grant> grants;
  std::erase_if(builders, [](const BuilderUse& builder) { return !IsFree(builder); });
  if (builders.empty()) return grants;
  std::sort(waiting.begin(), waiting.end(), IsBefore);
  for (const Claim& claim : waiting) {
    BuilderUse* best = nullptr;
    for (BuilderUse& builder : builders) {
      if (!IsFree(builder) || !builder.Serves(claim)) continue;
      if (best == nullptr || IsBetter(builder, *best)) best = &builder;
    }
    if (best == nullptr) continue;
    ++best->in_use;
    grants.push_back({claim.ticket, best->slots.name});
  }
  return grants;
}

}  // namespace depot::records
