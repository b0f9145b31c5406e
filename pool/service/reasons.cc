#include <algorithm>

#include "driver/base/text.h"
#include "pool/service/services.h"
#include "pool/settings/timestamp.h"

namespace depot::service {
namespace {

/// So many builders are named; more would leave no room for what else is said.
constexpr std::size_t kNamed = 3;

/// Whether a build of the claim's project may have it; what may come later is none yet.
bool Serves(const fleet::FleetBuilder& builder, const records::Claim& claim) {
  const auto& projects = builder.projects;
  return builder.slots > 0 && FormatPlatform(builder.platform) == claim.platform &&
         (projects.empty() ||
          std::find(projects.begin(), projects.end(), claim.project) != projects.end());
}

std::string WhyItIsAway(const fleet::FleetBuilder& builder) {
  if (builder.health == fleet::Health::kDraining)
    return Cat("builder ", builder.name, " is about to end and takes no more builds");
  return Cat("builder ", builder.name, " is down",
             builder.since == 0 ? "" : Cat(" since ", settings::FormatTime(builder.since)),
             builder.why.empty() ? "" : ": ", builder.why);
}

/// Those that the claim could have if they were up; "" = none.
std::string WhoIsAway(const records::Claim& claim,
                      const std::vector<fleet::FleetBuilder>& builders) {
  std::vector<std::string> away;
  for (const fleet::FleetBuilder& builder : builders) {
    if (Serves(builder, claim) && !IsGivenAway(builder)) away.push_back(WhyItIsAway(builder));
  }
  if (away.size() > kNamed) {
    const std::size_t more = away.size() - kNamed;
    away.resize(kNamed);
    away.push_back(Cat(more, " more are not up either"));
  }
  return Join(away, "; ");
}

}  // namespace

bool IsGivenAway(const fleet::FleetBuilder& builder) {
  return builder.health == fleet::Health::kUp || builder.health == fleet::Health::kUnknown;
}

std::string WhyItWaits(const records::Waiting& waiting,
                       const std::vector<fleet::FleetBuilder>& builders) {
  const records::Claim& claim = waiting.claim;
  switch (waiting.lack) {
    case records::Lack::kHome:
      return Cat("a builder is free, a home of project ", claim.project,
                 ", where its cache is kept, may be soon");
    case records::Lack::kLimit:
      return Cat("project ", claim.project, " has all the slots that it may have");
    case records::Lack::kStore:
      return "the pool's database cannot be reached at the moment, and nobody loses their place";
    case records::Lack::kBuilder: {
      const std::string away = WhoIsAway(claim, builders);
      return away.empty() ? Cat("no builder of ", claim.platform, " is there at the moment") : away;
    }
    case records::Lack::kSlot:
      break;
  }
  const std::string away = WhoIsAway(claim, builders);
  return away.empty() ? "every builder is busy" : Cat("every builder that is up is busy; ", away);
}

std::string WhyBuilder(const records::Claim& claim) {
  std::string builder = Cat("builder ", claim.builder);
  switch (claim.grounds) {
    case records::Grounds::kHome:
      return Cat(builder, ", a home of project ", claim.project, ": its cache is kept there");
    case records::Grounds::kPassed:
      return Cat(builder, ", no home of project ", claim.project, ": the build was passed ",
                 claim.passed == 0 ? "" : Cat(claim.passed, " times "), "by others already");
    case records::Grounds::kWaited:
      return Cat(builder, ", no home of project ", claim.project, ": none came free in time");
    case records::Grounds::kTurn:
      break;
  }
  return builder;
}

std::string WhyItEnds(const records::BuildRecord& build) {
  if (build.cancel_at != 0) return "an administrator of the pool cancelled it";
  if (build.state == records::State::kLost) {
    return Cat("no sign of life came from it for ", records::kSilence.count(), " s");
  }
  return "its time is over, `build_hours` of the pool";
}

}  // namespace depot::service
