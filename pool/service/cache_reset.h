#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "driver/base/random.h"
#include "driver/base/task_group.h"
#include "pool/service/call.h"

namespace depot::service {

/// Empties the caches of builders, which can take minutes: on a thread for each project, asked for
/// the outcome again and again; of several pools with the same records any may be asked. Safe to
/// use from several threads.
class CacheResets {
 public:
  explicit CacheResets(const Parts& parts) : parts_(parts) {}

  /// Begins to empty `builders` of `project`, unless that is under way; nullopt while it is. The
  /// outcome is given once. An Error: whether it is under way cannot be known.
  Result<std::optional<Result<>>> Ask(const std::string& project,
                                      const std::vector<fleet::FleetBuilder>& builders);

 private:
  struct Reset {
    bool ended = false;
    std::unique_ptr<TaskGroup> threads;
  };

  void Begin(const std::string& project, const std::vector<fleet::FleetBuilder>& builders);
  void Report(const std::string& project, const std::optional<Result<>>& ended);
  Result<> Run(const std::string& project,
               const std::vector<fleet::FleetBuilder>& builders,
               const Cancel& cancel);

  const Parts& parts_;
  /// A pool that is alone goes on where one before it was, at once.
  const std::string runner_ = parts_.shared ? RandomId() : "alone";
  std::mutex mutex_;
  std::map<std::string, Reset> running_;  ///< here, by project
};

}  // namespace depot::service
