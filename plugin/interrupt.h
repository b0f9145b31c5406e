#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "driver/base/cancel.h"
#include "driver/base/fd.h"
#include "driver/base/task_group.h"

namespace depot {

/// Turns what a user does to stop a build into a Cancel: SIGINT, SIGTERM, SIGHUP, and the end of
/// docker's plugin socket (docker/cli cli-plugins/socket; DOCKER_CLI_PLUGIN_SOCKET). A second
/// signal ends the process at once, with a line that says so; and so does, after 2.5 s, whatever
/// has not come to its end by itself then (a resolver that hangs). Make it in main before any other
/// thread: it blocks the signals for all threads that come after.
class Interrupt {
 public:
  /// `plugin_socket` may be empty or lead nowhere: then there is only the signals. `what` is said
  /// to be cancelled: "build". `last_word` gets the line in front of an end at once, on a thread
  /// of its own, and must not wait.
  Interrupt(const std::string& plugin_socket,
            std::string_view what,
            std::function<void(std::string_view)> last_word);
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  const Cancel& cancel() const { return source_.cancel(); }

 private:
  Result<> Watch(const Cancel& stop);
  [[noreturn]] void Leave(std::string_view cause) const;

  std::string what_;
  std::function<void(std::string_view)> last_word_;
  CancelSource source_;
  Fd signals_;
  Fd socket_;
  TaskGroup watcher_;
};

}  // namespace depot
