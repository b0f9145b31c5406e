#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>

#include "driver/base/task_group.h"
#include "driver/depot/build_record.h"
#include "driver/oci/platform.h"

namespace depot::api {

/// Tells the API again and again, from a thread of its own and from the beginning, that one machine
/// is in use (depot/cli pkg/machine/machine.go, ReportHealth), until destroyed or the build is
/// cancelled. Failures are said when they last.
class HealthReports {
 public:
  HealthReports(std::shared_ptr<BuildRecord> build, Platform platform);

  /// What to do, on the reporting thread, when the API cancels the build; replaces what was to be
  /// done before, which afterwards neither runs nor begins. At once when it has happened already.
  /// `act` must not block.
  void WhenCancelled(std::function<void(const Error&)> act);

 private:
  Result<> Run(const Cancel& stop);
  void CancelBuild(const CancelOrder& order);

  const std::shared_ptr<BuildRecord> build_;
  const Platform platform_;
  std::mutex mutex_;
  std::function<void(const Error&)> act_;
  std::optional<Error> cancelled_;
  TaskGroup thread_;  // last: joins before the rest goes
};

}  // namespace depot::api
