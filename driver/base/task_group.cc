#include "driver/base/task_group.h"

#include <pthread.h>

namespace depot {

TaskGroup::~TaskGroup() {
  Stop(Error(ErrorCode::kCancelled, "no longer needed"));
  (void)Wait();
}

void TaskGroup::Start(std::string name, Task task) {
  std::lock_guard lock(mutex_);
  threads_.emplace_back(
      [this, name = std::move(name), task = std::move(task)] { Run(name, task); });
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
  if (result) return;
  {
    std::lock_guard lock(mutex_);
    if (!first_error_) first_error_ = result.error();
  }
  Stop(std::move(result).error());
}

}  // namespace depot
