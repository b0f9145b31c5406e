#include "pool/stop_signal.h"

#include <cerrno>

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

namespace depot {

Result<Fd> KeepStopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  Fd stop(::signalfd(-1, &signals, SFD_CLOEXEC));
  if (!stop.valid()) return Fail(SystemError("signalfd", errno));
  return stop;
}

void WaitForStop(const Fd& signals) {
  signalfd_siginfo info;
  while (::read(signals.get(), &info, sizeof info) < 0 && errno == EINTR) {
  }
}

bool WaitForStop(const Fd& signals, std::chrono::milliseconds at_most) {
  pollfd ready{signals.get(), POLLIN, 0};
  if (::poll(&ready, 1, static_cast<int>(at_most.count())) <= 0) return false;
  WaitForStop(signals);
  return true;
}

}  // namespace depot
