#include <CLI/CLI.hpp>

#include "driver/base/text.h"
#include "pool/commands.h"
#include "pool/service/pool_server.h"
#include "pool/stop_signal.h"

namespace depot {
namespace {

Result<Output> Serve(const Invocation& invocation) {
  TRY_ASSIGN(Fd signals, KeepStopSignals());
  service::PoolOptions options;
  options.settings_file = invocation.settings_file;
  options.version = DEPOT_VERSION;
  options.system_roots = FindSystemRoots(Variable(invocation.environment, "SSL_CERT_FILE"),
                                         Variable(invocation.environment, "SSL_CERT_DIR"));
  options.audit = invocation.out;
  options.log = invocation.err;
  TRY_ASSIGN(auto pool, service::StartPool(std::move(options)));
  WaitForStop(signals);
  service::Journal(invocation.out, invocation.err).Say("stopping; running builds go on");
  pool.reset();
  return Output{};
}

}  // namespace

void AddServe(CLI::App& program, Command& chosen) {
  program
      .add_subcommand("serve",
                      "run the pool until SIGTERM; decisions go to standard output as JSON, what "
                      "people want to know to standard error")
      ->callback([&chosen] { chosen = Serve; });
}

}  // namespace depot
