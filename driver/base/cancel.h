#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>

#include "driver/base/result.h"

namespace depot {

/// Asked by everything that can block: "may I go on?". A cheap handle to copy; any thread may use
/// it. A Cancel says stop for one of two reasons: its CancelSource (or one above it) was asked to,
/// or its deadline has passed. Both reach the user as error().
class Cancel {
 public:
  using Clock = std::chrono::steady_clock;

  /// Never says stop by itself.
  static Cancel Never() { return Cancel(); }

  bool cancelled() const;

  /// Why: the cause given to CancelSource::Request(), or a kTimeout error with the text given to
  /// WithTimeout(). Only meaningful once cancelled().
  Error error() const;

  /// error() as a failure when cancelled(), success otherwise.
  Result<> Check() const;

  /// The same, ending at the latest after `timeout`; `what` completes "timed out: ...". A deadline
  /// can only be shortened.
  Cancel WithTimeout(Clock::duration timeout, std::string what) const;

  std::optional<Clock::time_point> deadline() const { return deadline_; }

  /// For std::condition_variable_any and std::stop_callback; does not know of the deadline.
  std::stop_token stop_token() const;

  /// Becomes readable when the source was asked to stop; -1 for Never(). Does not know of the
  /// deadline. Owned by the source: never close or read it.
  int wake_fd() const;

  /// Sleeps; false when it was cut short because cancelled().
  bool SleepFor(Clock::duration duration) const;

  /// Waits on a condition under `lock` until `ready()`, the deadline or a stop. Returns ready().
  template <typename Ready>
  bool Wait(std::unique_lock<std::mutex>& lock,
            std::condition_variable_any& changed,
            Ready ready) const {
    if (deadline_) return changed.wait_until(lock, stop_token(), *deadline_, ready);
    return changed.wait(lock, stop_token(), ready);
  }

 private:
  friend class CancelSource;
  struct State;

  std::shared_ptr<State> state_;
  std::optional<Clock::time_point> deadline_;
  std::string deadline_text_;
};

/// Can ask the holders of its Cancel to stop. Made below a parent, it stops when the parent stops;
/// stopping it does not touch the parent. Any thread may call Request().
class CancelSource {
 public:
  CancelSource() : CancelSource(Cancel::Never()) {}
  explicit CancelSource(const Cancel& parent);
  ~CancelSource();
  CancelSource(const CancelSource&) = delete;
  CancelSource& operator=(const CancelSource&) = delete;

  /// The first cause wins; later ones are ignored.
  void Request(Error cause);

  const Cancel& cancel() const { return cancel_; }

 private:
  Cancel cancel_;
  std::unique_ptr<std::stop_callback<std::function<void()>>> parent_link_;
};

/// Waits until `fd` has one of `events` (POLLIN, POLLOUT; POLLHUP and POLLERR always count), or
/// fails with cancel.error().
Result<> WaitForFd(int fd, short events, const Cancel& cancel);

}  // namespace depot
