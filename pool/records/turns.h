#pragma once

#include <cstdint>
#include <string>
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

  /// Whether a claim may have a slot of it, free or not.
  bool Serves(const Claim& claim) const;
};

/// What Choose() gives.
struct Grant {
  std::int64_t ticket = 0;
  std::string builder;
};

/// Gives the free slots of `builders` to those of `waiting` that are first. Nobody who could use a
/// slot is passed over: a later one gets it only when its builder may not serve the earlier ones.
/// Of several builders a project's own comes first, since others cannot use it; then the one with
/// the most room.
std::vector<Grant> Choose(std::vector<Claim> waiting, std::vector<BuilderUse> builders);

}  // namespace depot::records
