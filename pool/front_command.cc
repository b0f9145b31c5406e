#include <chrono>

#include <CLI/CLI.hpp>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/disk/read_file.h"
#include "driver/http/url.h"
#include "pool/commands.h"
#include "pool/front/front.h"
#include "pool/identity/pass.h"
#include "pool/service/journal.h"
#include "pool/stop_signal.h"

namespace depot {
namespace {

constexpr std::chrono::milliseconds kLookForBuilds(250);
constexpr std::size_t kLongestPem = 1 << 20;

struct WantedFront {
  std::string builder, pool, certificates;
  std::string listen = "0.0.0.0:8372";
  std::string socket = "/run/buildkit/buildkitd.sock";
  bool drain = false;
};

Result<std::string> ReadCertificate(const std::string& path) {
  auto pem = disk::ReadWholeFile(path, kLongestPem, Cancel::Never());
  if (pem || pem.error().code() != ErrorCode::kNotFound) return pem;
  return Fail(
      std::move(pem).error().WithHint("--certificates is the folder that `depot-pool ca "
                                      "server-certificate HOST --builder NAME --out DIR` wrote"));
}

Result<front::Certificates> ReadCertificates(const std::string& directory) {
  front::Certificates read;
  TRY_ASSIGN(read.own_pem, ReadCertificate(Cat(directory, "/server.pem")));
  TRY_ASSIGN(read.clients_pem, ReadCertificate(Cat(directory, "/clients.pem")));
  TRY_ASSIGN(std::string key, ReadCertificate(Cat(directory, "/server-key.pem")));
  read.key_pem = Secret(std::move(key));
  return read;
}

Result<Output> RunFront(const Invocation& invocation, const WantedFront& wanted) {
  const auto pool = http::ParseUrl(wanted.pool);
  if (!pool) return Fail(ErrorCode::kUsage, Cat("--pool ", pool.error().message()));
  if (!http::IsSafe(*pool)) {
    return Fail(ErrorCode::kUsage,
                "--pool must be an https:// URL: whoever answers there says who "
                "stays on the builder");
  }
  if (pool->rest.find('?') != std::string::npos) {
    return Fail(ErrorCode::kUsage, "--pool must be the pool's URL alone, without a query");
  }
  if (!identity::IsPassName(wanted.builder)) {
    return Fail(Error(ErrorCode::kUsage,
                      Cat("a builder cannot be called \"", Printable(wanted.builder), '"'))
                    .WithHint("--builder is its name under `builders` in the pool's settings"));
  }
  TRY_ASSIGN(Fd signals, KeepStopSignals());
  const service::Journal journal(invocation.out, invocation.err);
  front::FrontOptions options;
  options.builder = wanted.builder;
  options.pool_url = wanted.pool;
  options.listen = wanted.listen;
  options.socket = wanted.socket;
  options.version = DEPOT_VERSION;
  options.system_roots = FindSystemRoots(Variable(invocation.environment, "SSL_CERT_FILE"),
                                         Variable(invocation.environment, "SSL_CERT_DIR"));
  options.say = [&journal](std::string_view text) { journal.Say(text); };
  options.read_certificates = [&wanted] { return ReadCertificates(wanted.certificates); };
  TRY_ASSIGN(auto front, front::StartFront(std::move(options)));
  journal.Say(Cat("builder ", wanted.builder, " is on port ", front->port()));
  WaitForStop(signals);
  if (wanted.drain) {
    front->Close();
    journal.Say(
        "lets nobody in any more and ends with the last build; a second signal ends it now");
    while (front->HasBuilds() && !WaitForStop(signals, kLookForBuilds)) {
    }
  }
  front.reset();
  return Output{};
}

}  // namespace

void AddFront(CLI::App& program, Command& chosen) {
  auto wanted = std::make_shared<WantedFront>();
  CLI::App* front = program.add_subcommand(
      "front",
      "run beside buildkitd: let in the builds that have this builder, while they have it");
  front->add_option("--builder", wanted->builder, "as `builders` of the pool calls it")
      ->type_name("NAME")
      ->required();
  front->add_option("--pool", wanted->pool, "the pool, as clients name it")
      ->type_name("URL")
      ->required();
  front
      ->add_option("--certificates", wanted->certificates,
                   "what `ca server-certificate --builder NAME` wrote")
      ->type_name("DIR")
      ->required();
  front->add_option("--listen", wanted->listen, "default: 0.0.0.0:8372")->type_name("ADDRESS:PORT");
  front->add_option("--socket", wanted->socket, "default: /run/buildkit/buildkitd.sock")
      ->type_name("PATH");
  front->add_flag("--drain", wanted->drain,
                  "when told to end, wait until the builds that are inside are over");
  front->callback([&chosen, wanted] {
    chosen = [wanted](const Invocation& invocation) { return RunFront(invocation, *wanted); };
  });
}

}  // namespace depot
