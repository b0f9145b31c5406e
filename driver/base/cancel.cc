#include "driver/base/cancel.h"

#include <algorithm>
#include <cerrno>

#include <poll.h>
#include <sys/eventfd.h>

#include "driver/base/fd.h"
#include "driver/base/text.h"

namespace depot {

struct Cancel::State {
  std::stop_source source;
  std::mutex mutex;
  std::optional<Error> cause;
  Fd wake{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
};

bool Cancel::cancelled() const {
  return (state_ && state_->source.stop_requested()) || (deadline_ && Clock::now() >= *deadline_);
}

Error Cancel::error() const {
  if (state_ && state_->source.stop_requested()) {
    std::lock_guard lock(state_->mutex);
    if (state_->cause) return *state_->cause;
  }
  if (deadline_ && Clock::now() >= *deadline_) {
    return Error(ErrorCode::kTimeout, Cat("timed out: ", deadline_text_));
  }
  return Error(ErrorCode::kCancelled, "cancelled");
}

Result<> Cancel::Check() const {
  if (cancelled()) return Fail(error());
  return {};
}

Cancel Cancel::WithTimeout(Clock::duration timeout, std::string what) const {
  Cancel child = *this;
  Clock::time_point end = Clock::now() + timeout;
  if (!deadline_ || end < *deadline_) {
    child.deadline_ = end;
    child.deadline_text_ = std::move(what);
  }
  return child;
}

std::stop_token Cancel::stop_token() const {
  return state_ ? state_->source.get_token() : std::stop_token();
}

int Cancel::wake_fd() const {
  return state_ ? state_->wake.get() : -1;
}

bool Cancel::SleepFor(Clock::duration duration) const {
  std::mutex mutex;
  std::condition_variable_any never_notified;
  std::unique_lock lock(mutex);
  Clock::time_point end = Clock::now() + duration;
  if (deadline_) end = std::min(end, *deadline_);
  never_notified.wait_until(lock, stop_token(), end, [] { return false; });
  return !cancelled();
}

CancelSource::CancelSource(const Cancel& parent) : cancel_(parent) {
  cancel_.state_ = std::make_shared<Cancel::State>();
  // The parent may outlive this source or stop while it is being destroyed: the callback holds what
  // it needs.
  if (parent.state_) {
    parent_link_ = std::make_unique<std::stop_callback<std::function<void()>>>(
        parent.stop_token(), [this, parent] { Request(parent.error()); });
  }
}

CancelSource::~CancelSource() = default;

void CancelSource::Request(Error cause) {
  {
    std::lock_guard lock(cancel_.state_->mutex);
    if (!cancel_.state_->cause) cancel_.state_->cause = std::move(cause);
  }
  std::uint64_t one = 1;
  [[maybe_unused]] ssize_t written = ::write(cancel_.state_->wake.get(), &one, sizeof one);
  cancel_.state_->source.request_stop();
}

Result<> WaitForFd(int fd, short events, const Cancel& cancel) {
  while (true) {
    TRY(cancel.Check());
    int timeout_ms = -1;
    if (cancel.deadline()) {
      auto left =
          std::chrono::ceil<std::chrono::milliseconds>(*cancel.deadline() - Cancel::Clock::now());
      timeout_ms = static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 60'000));
    }
    pollfd fds[2] = {{fd, events, 0}, {cancel.wake_fd(), POLLIN, 0}};
    int ready = ::poll(fds, 2, timeout_ms);
    if (ready < 0 && errno != EINTR) return Fail(SystemError("poll", errno));
    if (ready > 0 && fds[1].revents == 0 && fds[0].revents != 0) return {};
  }
}

}  // namespace depot
