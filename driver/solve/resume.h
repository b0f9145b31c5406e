#pragma once

#include <functional>
#include <string>
#include <vector>

#include "driver/base/retries.h"
#include "driver/session/faults.h"
#include "driver/solve/solve.h"

namespace depot::solve {

/// One solve, and what it takes to begin it again. Everything is owned by the caller and outlives
/// the solve.
struct Solving {
  builder::Builder* builder = nullptr;
  const BuildRequest* request = nullptr;
  std::string ref;  ///< BuildRequest::ref of this solve; a later try has "-2", "-3", ... behind it
  const rpc::ServiceTable* services = nullptr;
  session::Faults* faults = nullptr;
  EventSink* sink = nullptr;
  std::string platforms{};  ///< what it builds, for an Error's place; "" = it goes without saying
  RetryLimits retries{};    ///< none, unless said otherwise
  /// Makes everything ready for a later try with this ref: takes back what has been delivered. Its
  /// Error says why that cannot be. Called on the thread of SolveToEnd(). Empty = nothing to do.
  std::function<Result<>(const std::string& ref)> start_over{};
  /// Whether all results that come to us have done so; empty = there are none.
  std::function<bool()> delivered{};
  /// What the builder may ask for in the session of a second connection, which holds long steps
  /// while the first one is replaced (Standby); null = there is none.
  const rpc::ServiceTable* standby = nullptr;
  std::vector<std::string> locals{};  ///< the names of the local sources, for that
};

/// Solve(), also when the builder is lost on the way: says so in one line, connects again, and
/// takes the result if the builder has recorded that it was done; else it solves once more, for
/// which the builder has in its cache what was built. A push that failed for a reason that may pass
/// (PushMayPass()) is made again in the same way. Each of that is one of Solving::retries, and a
/// line. Never again: a build that failed by itself, also if the builder only recorded it; one
/// whose result cannot be taken back (Solving::start_over); a builder that was taken from us. The
/// Error then says what was tried. When `cancel` stops, it ends as Solve() does, also while it
/// waits. Blocks.
SolveOutcome SolveToEnd(const Solving& solving, const Cancel& cancel);

}  // namespace depot::solve
