#pragma once

#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "driver/base/cancel.h"

namespace depot {

/// The only place that starts threads. Tasks of one group run side by side; the first one that
/// fails becomes the group's result and the others are asked to stop. The owner calls Start() and
/// Wait() from one thread; a running task may call Start() too.
class TaskGroup {
 public:
  using Task = std::function<Result<>(const Cancel&)>;

  /// The group's tasks stop when `parent` does.
  explicit TaskGroup(const Cancel& parent) : source_(parent) {}

  /// Asks all tasks to stop and joins them.
  ~TaskGroup();

  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;

  /// Runs `task` on a thread of its own, named `name` (15 characters are kept) for debuggers. When
  /// the system gives no more threads, that counts as the failure of the task.
  void Start(const std::string& name, Task task);

  /// Joins all tasks; the first failure, or success. May be called again after more Start() calls.
  Result<> Wait();

  /// Asks all tasks to stop; does not wait.
  void Stop(Error cause) { source_.Request(std::move(cause)); }

  const Cancel& cancel() const { return source_.cancel(); }

 private:
  void Run(const std::string& name, const Task& task);
  void FailWith(Error error);

  CancelSource source_;
  std::mutex mutex_;
  std::optional<Error> first_error_;
  std::vector<std::thread> threads_;
};

}  // namespace depot
