#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "pool/records/slots.h"

namespace depot::records {

// Who is next, and with which builder: pure functions over claims, which every place that keeps
// claims can share. Projects take turns; within one the order is that of asking. A claim's turn is
// given when it joins the queue and never changes, so the order can be read from the claims alone
// (start-time fair queueing: P. Goyal, H. Vin, H. Cheng, "Start-Time Fair Queueing", 1996).

/// How far apart two claims of a project of weight 1 are; weight N: an Nth of it. Every N up to 16
/// divides it.
constexpr std::int64_t kWholeTurn = 720'720;

/// Weights of projects are from 1 to this.
constexpr int kMostWeight = 100;

/// The turn of a claim of `project` that joins `claims`: those of one platform that wait, and those
/// that have a slot of a builder that serves all projects (what a project has of its own costs it
/// no turn). Behind the project's last one, and never before the turn that is next at the moment:
/// who did not ask before has saved nothing.
std::int64_t NextTurn(const std::vector<Claim>& claims, const std::string& project, int weight);

/// Whether `one` is served before `other`.
bool IsBefore(const Claim& one, const Claim& other);

/// A builder and what is known of it at the moment.
struct BuilderUse {
  BuilderSlots slots;
  bool up = true;
  int in_use = 0;

  /// Whether it has a slot to give.
  bool IsFree() const;

  /// Whether a claim may have a slot of it, free or not.
  bool Serves(const Claim& claim) const;
};

/// Whether it counts at all.
inline bool HomesCount(const HomeRules& rules) {
  return rules.wait.count() > 0 && rules.passes > 0;
}

/// What Choose() gives.
struct Grant {
  std::int64_t ticket = 0;
  std::string builder;
  Grounds grounds = Grounds::kTurn;
  std::vector<std::int64_t> passed{};  ///< tickets of earlier claims that could have used the slot
};

/// What Choose() goes by, beside claims and builders.
struct ChoiceRules {
  HomeRules homes;
  std::chrono::milliseconds now{0};  ///< on the clock of Claim::since
  /// Slots that a project may still get, by platform and project; without an entry: any number.
  std::map<std::pair<std::string, std::string>, int> room;
};

/// Which of `builders` a claim is best served by, as indices, the best first: those that are up and
/// serve it, its project's own before those that serve everybody, else by rendezvous hashing of
/// project and cache (D. Thaler, C. Ravishankar, "Using Name-Based Mappings to Increase Hit Rates",
/// 1998): a builder that comes or goes moves only the projects that it is or was best for. The
/// first kHomes are the homes of the project.
std::vector<std::size_t> OrderFor(const Claim& claim, const std::vector<BuilderUse>& builders);

constexpr std::size_t kHomes = 2;

/// Gives free slots of `builders` (all there are, homes need not be free) to those of `waiting`
/// that are next.
///
/// With homes, a slot goes to the first claim that was passed as often as may be; else to the first
/// claim whose home it is; else to the first one that could use it, once that has waited its time.
/// So a slot may stay free for that long while somebody waits.
///
/// Without homes nobody who could use a slot is passed over. Of several builders a project's own
/// comes first, since others cannot use it; then the one with the most room.
std::vector<Grant> Choose(std::vector<Claim> waiting,
                          std::vector<BuilderUse> builders,
                          const ChoiceRules& rules = {});

}  // namespace depot::records
