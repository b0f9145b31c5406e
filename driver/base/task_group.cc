#include "driver/base/task_group.h"

#include <system_error>

#include <pthread.h>

#include "driver/base/text.h"

namespace depot {

TaskGroup::~TaskGroup() {
  Stop(Error(ErrorCode::kCancelled, "no longer needed"));
  (void)Wait();
}

void TaskGroup::Start(const std::string& name, Task task) {
  std::optional<Error> refused;
  {
    std::lock_guard lock(mutex_);
    try {
      threads_.emplace_back([this, name, task = std::move(task)] { Run(name, task); });
    } catch (const std::system_error& error) {
      refused =
          SystemError(Cat("start the thread ", name), error.code().value())
              .WithHint("raise the limit on processes (ulimit -u, or the pids of the container)");
    }
  }
  if (refused) FailWith(std::move(*refused));
}

Result<> TaskGroup::Wait() {
  // A task may start another one, so take threads until none is left.
  while (true) {
    std::vector<std::thread> running;
    {
      std::lock_guard lock(mutex_);
      running.swap(threads_);
    }
    if (running.empty()) break;
    for (std::thread& thread : running)
      thread.join();
  }
  std::lock_guard lock(mutex_);
  if (first_error_) return Fail(*first_error_);
  return {};
}

void TaskGroup::Run(const std::string& name, const Task& task) {
  ::pthread_setname_np(::pthread_self(), name.substr(0, 15).c_str());
  Result<> result = task(cancel());
  if (!result) FailWith(std::move(result).error());
}

void TaskGroup::FailWith(Error error) {
  {
    std::lock_guard lock(mutex_);
    if (!first_error_) first_error_ = error;
  }
  Stop(std::move(error));
}

}  // namespace depot
