#pragma once

#include <vector>

#include "driver/session/faults.h"
#include "driver/solve/solve.h"

namespace depot::solve {

/// One of several solves of the same build. Everything is owned by the caller and outlives
/// SolveAll().
struct Solving {
  builder::Builder* builder = nullptr;
  const BuildRequest* request = nullptr;
  std::string ref;  ///< BuildRequest::ref of this solve
  const rpc::ServiceTable* services = nullptr;
  session::Faults* faults = nullptr;
  EventSink* sink = nullptr;
  std::string platforms{};  ///< what it builds, for an Error's place; "" = it goes without saying
};

/// Runs the solves side by side, each as Solve() does, and gives their results in the same order.
/// The first one that fails is the one reported, and the others are cancelled: within 3 s they are
/// over too. Blocks.
Result<std::vector<BuildResult>> SolveAll(const std::vector<Solving>& solves, const Cancel& cancel);

}  // namespace depot::solve
