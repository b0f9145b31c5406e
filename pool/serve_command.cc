#include <cerrno>

#include <pthread.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "pool/commands.h"
#include "pool/service/pool_server.h"

#include "driver/base/fd.h"
#include "driver/base/text.h"

namespace depot {
namespace {

std::string Variable(const Invocation& invocation, const std::string& name) {
  auto found = invocation.environment.find(name);
  return found == invocation.environment.end() ? "" : found->second;
}

}  // namespace

Result<Output> RunServe(const Invocation& invocation,
                        const service::Journal::Write& audit,
                        const service::Journal::Write& log) {
  if (!invocation.arguments.words.empty()) {
    return Fail(WrongUsage("depot-pool serve [--config FILE]"));
  }
  // Before there are threads: all of them inherit it.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  Fd stop(::signalfd(-1, &signals, SFD_CLOEXEC));
  if (!stop.valid()) return Fail(SystemError("signalfd", errno));
  service::PoolOptions options;
  options.settings_file = invocation.settings_file;
  options.version = DEPOT_VERSION;
  options.system_roots =
      FindSystemRoots(Variable(invocation, "SSL_CERT_FILE"), Variable(invocation, "SSL_CERT_DIR"));
  options.audit = audit;
  options.log = log;
  TRY_ASSIGN(auto pool, service::StartPool(std::move(options)));
  signalfd_siginfo info;
  while (::read(stop.get(), &info, sizeof info) < 0 && errno == EINTR) {
  }
  service::Journal(audit, log).Say("stopping; running builds go on");
  pool.reset();
  return Output{};
}

}  // namespace depot
