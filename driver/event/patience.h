#pragma once

#include <atomic>
#include <chrono>
#include <string>

#include "driver/base/cancel.h"
#include "driver/base/task_group.h"
#include "driver/event/sink.h"

namespace depot {

/// Who is waited for, and for how long at most.
struct Awaited {
  std::string name;  ///< "the registry example.com"
  /// Silence that ends the wait; zero = somebody else bounds it.
  Cancel::Clock::duration limit{0};
  std::string hint{};  ///< of the Error then
  Cancel::Clock::duration first_line = std::chrono::seconds(5);
  Cancel::Clock::duration next_lines = std::chrono::seconds(60);
};

/// One wait for a peer that may say nothing: the one way in which that is told. After 5 s of
/// silence, and each minute from then on, the user reads who is waited for. Whoever waits does so
/// with cancel(). While a process is stopped (SIGSTOP) nobody is silent.
class Patience {
 public:
  /// `sink` must outlive it. Starts a thread.
  Patience(EventSink& sink, Awaited who, const Cancel& cancel);

  /// Stops when `cancel` does, or with kTimeout after too long a silence.
  const Cancel& cancel() const { return source_.cancel(); }

  /// A sign of life. Any thread.
  void Heard() { heard_ = Now(); }

  /// Nobody is waited for until Heard(): the work is on our side, or it is known to be going on.
  void Rest() { heard_ = kResting; }

 private:
  using Clock = Cancel::Clock;
  static constexpr Clock::rep kResting = -1;

  static Clock::rep Now() { return Clock::now().time_since_epoch().count(); }
  Clock::duration Silence() const;
  Result<> Watch(const Cancel& cancel);

  EventSink& sink_;
  const Awaited who_;
  CancelSource source_;
  std::atomic<Clock::rep> heard_{Now()};
  TaskGroup watch_{Cancel::Never()};
};

}  // namespace depot
