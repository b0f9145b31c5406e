#include "driver/builder/engine_driver.h"

#include "driver/base/hints.h"
#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/builder/connect.h"
#include "driver/builder/driver.h"
#include "driver/builder/program.h"
#include "driver/builder/schemes.h"
#include "driver/docker/contexts.h"

namespace depot::builder {
namespace {

/// A local Engine that is not there will not come by waiting for it; the short wait is for one that
/// is just being restarted.
constexpr std::chrono::seconds kPatience(3);

/// POST /session announces in headers what Control.Session takes as metadata (moby
/// api/server/router/session).
Result<std::unique_ptr<rpc::ByteStream>> DialEngineSession(const docker::EngineEndpoint& endpoint,
                                                           const rpc::Metadata& announcement,
                                                           const Cancel& cancel) {
  TRY_ASSIGN(Endpoint place, EndpointOfEngine(endpoint));
  TRY_ASSIGN(std::unique_ptr<rpc::ByteStream> stream, Dial(place, cancel));
  rpc::SecretHeaders headers = endpoint.headers;
  for (const auto& [name, value] : announcement.entries()) {
    headers.emplace_back(name, Secret(value));
  }
  return rpc::UpgradeToH2c(std::move(stream), "/session", headers, cancel);
}

Result<std::unique_ptr<rpc::ByteStream>> DialEngine(const docker::EngineEndpoint& endpoint,
                                                    const Cancel& cancel) {
  TRY_ASSIGN(Endpoint place, EndpointOfEngine(endpoint));
  auto stream = Dial(place, cancel);
  if (!stream && !stream.error().hint().empty()) return stream;
  const bool local = endpoint.host.starts_with("unix://");
  if (!stream && local && stream.error().code() == ErrorCode::kDenied) {
    return Fail(std::move(stream).error().WithHint(std::string(docker::kSocketIsDenied)));
  }
  if (!stream) {
    std::string hint = docker::HintForUnreachable(endpoint, stream.error());
    return Fail(std::move(stream).error().WithHint(
        JoinHints(hint, "--builder names a remote builder instead")));
  }
  auto upgraded = rpc::UpgradeToH2c(*std::move(stream), "/grpc", endpoint.headers, cancel);
  if (!upgraded && upgraded.error().code() == ErrorCode::kUnsupported) {
    return Fail(std::move(upgraded).error().WithHint(
        "this Engine has no BuildKit; it must be Docker 18.09 or newer"));
  }
  // A TLS port answers plain HTTP with 400, or hangs up.
  if (!upgraded && !cancel.cancelled() && !endpoint.tls && endpoint.host.starts_with("tcp://")) {
    return Fail(std::move(upgraded).error().WithHint(
        "if this Engine wants TLS, set DOCKER_TLS_VERIFY=1 and DOCKER_CERT_PATH"));
  }
  return upgraded;
}

class EngineDriver final : public Driver {
 public:
  explicit EngineDriver(docker::EngineEndpoint endpoint)
      : endpoint_(std::make_shared<const docker::EngineEndpoint>(std::move(endpoint))) {}

  Result<std::unique_ptr<Builder>> Acquire(const std::optional<Platform>& /*platform*/,
                                           EventSink& sink,
                                           const Cancel& cancel) override {
    return Reach(kPatience, sink, cancel);
  }

  Result<std::unique_ptr<Builder>> TryOnce(EventSink& sink, const Cancel& cancel) override {
    return Reach(std::chrono::seconds(0), sink, cancel);
  }

 private:
  Result<std::unique_ptr<Builder>> Reach(std::chrono::seconds patience,
                                         EventSink& sink,
                                         const Cancel& cancel) {
    Connection connection;
    connection.endpoint = Cat("docker (", RedactUrls(endpoint_->host), ")");
    connection.authority = "localhost";
    connection.engine = true;
    connection.same_machine = endpoint_->host.starts_with("unix:") && endpoint_->tunnel.empty();
    connection.dial = [endpoint = endpoint_](const Cancel& c) { return DialEngine(*endpoint, c); };
    // Elsewhere one more connection costs round trips, or a program.
    if (connection.same_machine) {
      connection.dial_session = [endpoint = endpoint_](const rpc::Metadata& announcement,
                                                       const Cancel& c) {
        return DialEngineSession(*endpoint, announcement, c);
      };
    }
    connection.patience = patience;
    return Hold(std::move(connection), sink, cancel);
  }

  std::shared_ptr<const docker::EngineEndpoint> endpoint_;
};

}  // namespace

Result<Endpoint> EndpointOfEngine(const docker::EngineEndpoint& engine) {
  TRY_ASSIGN(docker::EngineAddress address, docker::ParseEngineHost(engine));
  Endpoint endpoint;
  endpoint.url = RedactUrls(engine.host);
  if (!address.ssh.empty()) {
    TRY_ASSIGN(SshPlace place, OfSetting("DOCKER_HOST", ParseSshPlace(address.ssh)));
    Command remote = {"docker"};
    if (!place.path.empty()) remote.push_back(Cat("--host=unix://", place.path));
    remote.insert(remote.end(), {"system", "dial-stdio"});
    endpoint.scheme = "ssh";
    endpoint.program = SshCommand(place, remote);
    return endpoint;
  }
  endpoint.path = address.socket_path;
  if (!endpoint.path.empty()) return endpoint;
  endpoint.scheme = "tcp";
  endpoint.host = address.address;
  endpoint.port = address.port;
  endpoint.tls = engine.tls;
  if (!endpoint.tls) return endpoint;
  rpc::TlsOptions& tls = endpoint.tls_options;
  tls.server_name = address.address;
  tls.ca_pem = engine.ca_pem;
  tls.system_roots = engine.system_roots;
  tls.certificate_pem = engine.certificate_pem;
  tls.key_pem = engine.key_pem;
  tls.verify = engine.verify;
  tls.alpn = "http/1.1";
  TRY(OfSetting("the Docker Engine's TLS files (DOCKER_CERT_PATH)", rpc::CheckTlsOptions(tls)));
  return endpoint;
}

std::unique_ptr<Driver> MakeEngineDriver(docker::EngineEndpoint endpoint) {
  return std::make_unique<EngineDriver>(std::move(endpoint));
}

}  // namespace depot::builder
