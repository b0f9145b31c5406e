#pragma once

#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "driver/base/task_group.h"
#include "driver/builder/builder.h"
#include "driver/rpc/server.h"
#include "driver/session/faults.h"
#include "driver/solve/open_steps.h"
#include "driver/solve/request.h"

namespace depot::solve {

/// What a second connection may be asked for, and by whom it is needed. Everything outlives it.
struct StandbyFacts {
  builder::Builder& builder;
  /// Of its session: all but local directories and results, which the first one has.
  const rpc::ServiceTable& services;
  session::Faults& faults;
  const OpenSteps& steps;           ///< of the solve
  std::vector<std::string> locals;  ///< the names of its local sources
};

/// Holds a solve from a second connection once its steps run for long: BuildKit ends what nobody
/// holds, and a step that two solves share goes on when one of them is lost. The second one asks
/// for the same operations, or is given up before anything runs; it has no exporters, leaves no
/// record, takes the local sources for those of the first one's session, so that none is sent
/// again, and ends with the steps. A builder that cannot do that costs one attempt. One thread, but
/// for its own.
class Standby {
 public:
  Standby(StandbyFacts facts, const Cancel& cancel);

  /// The solve that begins now: how it is asked for, with BuildRequest::session. What was held for
  /// another one is let go.
  void Begin(const BuildRequest& request);

  /// What its frontend has said to run: OperationsOf(). From the solve's thread.
  void Expect(std::string operations);

  /// The id of the session for which the second connection holds the steps, after a loss of the
  /// first one; nullopt: it does not.
  std::optional<std::string> Holds() const;

 private:
  Result<> Watch(const Cancel& cancel);
  bool IsNeeded() const;
  void Hold(const Cancel& cancel);
  Result<> Compare(const std::string& result);

  const StandbyFacts facts_;
  mutable std::mutex mutex_;
  BuildRequest request_;  ///< these guarded by mutex_
  std::string session_;
  std::string expected_;
  bool useless_ = false;  ///< for this solve
  bool holds_ = false;
  std::optional<CancelSource> holding_;
  TaskGroup watch_;  // goes first: its thread uses the rest
};

}  // namespace depot::solve
