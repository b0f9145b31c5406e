#include "plugin/interrupt.h"

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <optional>
#include <utility>

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "driver/base/text.h"

namespace depot {
namespace {

constexpr int kCancelledExitCode = 130;
constexpr std::chrono::milliseconds kPatience(2500);
/// One that comes sooner is the same: timeout(1) signals its child, and then the child's group.
constexpr std::chrono::milliseconds kSameSignal(100);

Fd OpenSignals() {
  sigset_t set;
  sigemptyset(&set);
  for (int signal : {SIGINT, SIGTERM, SIGHUP}) {
    // What the parent chose to ignore (nohup) stays ignored.
    struct sigaction action {};
    ::sigaction(signal, nullptr, &action);
    if (action.sa_handler != SIG_IGN) sigaddset(&set, signal);
  }
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  return Fd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
}

/// A leading "@" stands for the NUL byte of an abstract address.
Fd Connect(const std::string& name) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (name.empty() || name.size() >= sizeof address.sun_path) return Fd();
  std::memcpy(address.sun_path, name.data(), name.size());
  std::size_t length = offsetof(sockaddr_un, sun_path) + name.size();
  if (name[0] == '@') {
    address.sun_path[0] = '\0';
  } else {
    ++length;
  }
  Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket.valid() || ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address),
                                   static_cast<socklen_t>(length)) != 0) {
    return Fd();
  }
  return socket;
}

std::string NameOf(std::uint32_t signal) {
  switch (signal) {
    case SIGINT:
      return "SIGINT";
    case SIGTERM:
      return "SIGTERM";
    default:
      return "SIGHUP";
  }
}

}  // namespace

Interrupt::Interrupt(const std::string& plugin_socket,
                     std::string_view what,
                     std::function<void(std::string_view)> last_word)
    : what_(what),
      last_word_(std::move(last_word)),
      signals_(OpenSignals()),
      socket_(Connect(plugin_socket)),
      watcher_(Cancel::Never()) {
  watcher_.Start("interrupt", [this](const Cancel& stop) { return Watch(stop); });
}

Interrupt::~Interrupt() = default;

void Interrupt::Leave(std::string_view cause) const {
  last_word_(Cat("ERROR: ", what_, " ended at once (", cause,
                 "): what it had begun on a builder or in a registry was not waited for, and may "
                 "go on\n"));
  ::_exit(kCancelledExitCode);
}

Result<> Interrupt::Watch(const Cancel& stop) {
  std::optional<Cancel::Clock::time_point> signalled;
  std::string first;  // why it was cancelled
  Cancel::Clock::time_point asked{};
  while (!stop.cancelled()) {
    bool asked_to_stop = asked != Cancel::Clock::time_point{};
    if (asked_to_stop && Cancel::Clock::now() - asked > kPatience) {
      Leave(Cat("no end within 2.5 s of ", first));
    }
    pollfd fds[3] = {
        {signals_.get(), POLLIN, 0}, {socket_.get(), POLLIN, 0}, {stop.wake_fd(), POLLIN, 0}};
    if (::poll(fds, 3, asked_to_stop ? 100 : -1) < 0 && errno != EINTR) break;
    std::string cause;
    signalfd_siginfo info;
    if (fds[0].revents != 0 && ::read(signals_.get(), &info, sizeof info) == sizeof info) {
      cause = NameOf(info.ssi_signo);
      const Cancel::Clock::time_point now = Cancel::Clock::now();
      if (!signalled) signalled = now;
      if (now - *signalled > kSameSignal) Leave(Cat("a second signal, ", cause));
    }
    char byte;
    if (fds[1].revents != 0 && ::recv(socket_.get(), &byte, 1, MSG_DONTWAIT) <= 0) {
      socket_.Reset();
      cause = "docker ended";
    }
    if (cause.empty() || asked_to_stop) continue;
    asked = Cancel::Clock::now();
    first = cause;
    source_.Request(Error(ErrorCode::kCancelled, Cat(what_, " cancelled (", cause, ")")));
  }
  return {};
}

}  // namespace depot
