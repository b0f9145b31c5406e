#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "driver/base/cancel.h"
#include "driver/base/fd.h"
#include "driver/base/task_group.h"

namespace depot {

/// What a finished child process left behind.
struct SubprocessOutput {
  int exit_code = 0;  ///< 128 + signal number when a signal ended it
  std::string standard_output;
  std::string standard_error;  ///< the last 16 KiB
};

/// Runs `argv` (argv[0] is looked up in PATH), feeds it `input`, and collects what it prints
/// (at most 1 MiB of standard output, more is an error). Killed (TERM, then KILL after a second)
/// when cancelled. A program that cannot be started is an Error (kNotFound when it does not exist);
/// a program that fails is not: look at exit_code. Blocks; any thread. `input` may hold a secret:
/// it travels through a pipe and is never logged. A child may end without reading it, so the
/// process must ignore SIGPIPE; and it must not ignore SIGCHLD, or no exit code is known.
Result<SubprocessOutput> RunSubprocess(const std::vector<std::string>& argv,
                                       std::string_view input,
                                       const Cancel& cancel);

/// How a child process stands.
struct ChildState {
  std::optional<int>
      exit_code;               ///< 128 + signal number when a signal ended it; none: still running
  std::string standard_error;  ///< the last 16 KiB so far
};

/// A child process to talk to for as long as it runs, through one socket that is its standard input
/// and output. It has a session of its own: a Ctrl-C at the terminal is ours to handle, and it
/// cannot ask questions there. Any thread.
class ChildProcess {
 public:
  /// Starts `argv` (argv[0] is looked up in PATH); kNotFound when there is no such program.
  static Result<std::unique_ptr<ChildProcess>> Start(const std::vector<std::string>& argv);

  /// Ends the child and what it has started (TERM, then KILL after a second), and reaps it.
  ~ChildProcess();

  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  /// Our end of the socket, given away once. The child sees its end when it is closed or shut down.
  Fd TakeSocket() { return std::move(socket_); }

  /// Waits until the child has ended and all of its standard error is read; when `cancel` stops
  /// first, what is known by then.
  ChildState Wait(const Cancel& cancel);

 private:
  class Child;  // the running process

  explicit ChildProcess(pid_t pid, Fd socket, Fd standard_error);
  Result<> ReadErrors(const Cancel& cancel);

  std::unique_ptr<Child> child_;
  Fd socket_;
  Fd error_;  // read by the thread alone
  std::mutex mutex_;
  std::condition_variable_any changed_;
  ChildState state_;
  bool error_ended_ = false;
  TaskGroup threads_{Cancel::Never()};
};

}  // namespace depot
