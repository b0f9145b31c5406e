#pragma once

#include <vector>

#include "driver/session/services.h"
#include "driver/solve/solve.h"

namespace depot::solve {

/// One of several solves of the same build. Everything is owned by the caller and outlives
/// SolveAll().
struct Solving {
  builder::Builder* builder = nullptr;
  const BuildRequest* request = nullptr;
  const rpc::ServiceTable* services = nullptr;
  EventSink* sink = nullptr;
  const session::ExportLog* exported = nullptr;  ///< how our side of its exports went
};

/// Runs the solves side by side, each as Solve() does, and gives their results in the same order.
/// The first one that fails is the one reported, and the others are cancelled: within 3 s they are
/// over too. When our own side of its export failed, that is reported: the builder only says that
/// something did. Blocks.
Result<std::vector<BuildResult>> SolveAll(const std::vector<Solving>& solves, const Cancel& cancel);

}  // namespace depot::solve
