#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "driver/base/task_group.h"
#include "pool/service/call.h"

namespace depot::service {

/// Empties the caches of builders, which can take minutes: on a thread for each project, asked for
/// the outcome again and again. Safe to use from several threads.
class CacheResets {
 public:
  explicit CacheResets(const Parts& parts) : parts_(parts) {}

  /// Begins to empty `builders` of `project`, unless that is under way; nullopt while it is. The
  /// outcome is given once.
  std::optional<Result<>> Ask(const std::string& project,
                              const std::vector<fleet::FleetBuilder>& builders);

 private:
  struct Reset {
    std::optional<Result<>> outcome;
    std::chrono::steady_clock::time_point ended;
    std::unique_ptr<TaskGroup> thread;
  };

  Result<> Run(const std::string& project,
               const std::vector<fleet::FleetBuilder>& builders,
               const Cancel& cancel);

  const Parts& parts_;
  std::mutex mutex_;
  std::map<std::string, Reset> resets_;  ///< by project
};

}  // namespace depot::service
