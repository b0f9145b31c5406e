#include "driver/base/text.h"
#include "driver/builder/connect.h"
#include "driver/builder/driver.h"
#include "driver/docker/contexts.h"
#include "driver/rpc/dial.h"

namespace depot::builder {
namespace {

/// A local Engine that is not there will not come by waiting for it; the short wait is for one that
/// is just being restarted.
constexpr std::chrono::seconds kPatience(3);

Result<std::unique_ptr<rpc::ByteStream>> Connect(const docker::EngineEndpoint& endpoint,
                                                 const Cancel& cancel) {
  TRY_ASSIGN(docker::EngineAddress address, docker::ParseEngineHost(endpoint));
  if (!address.socket_path.empty()) {
    TRY_ASSIGN(Fd socket, rpc::DialUnix(address.socket_path, cancel));
    return rpc::MakeSocketStream(std::move(socket));
  }
  TRY_ASSIGN(Fd socket, rpc::DialTcp(address.address, address.port, cancel));
  if (!endpoint.tls) return rpc::MakeSocketStream(std::move(socket));
  rpc::TlsOptions tls;
  tls.server_name = address.address;
  tls.ca_pem = endpoint.ca_pem;
  tls.system_roots = endpoint.system_roots;
  tls.certificate_pem = endpoint.certificate_pem;
  tls.key_pem = endpoint.key_pem;
  tls.verify = endpoint.verify;
  tls.alpn = "http/1.1";
  return rpc::StartTls(rpc::MakeSocketStream(std::move(socket)), tls, cancel);
}

Result<std::unique_ptr<rpc::ByteStream>> Dial(const docker::EngineEndpoint& endpoint,
                                              const Cancel& cancel) {
  auto stream = Connect(endpoint, cancel);
  if (!stream) {
    return Fail(std::move(stream).error().WithHint(
        "is the Docker daemon running? DOCKER_HOST, --host or a docker context say which Engine is "
        "meant; --builder names a remote builder instead"));
  }
  auto upgraded = rpc::UpgradeToH2c(*std::move(stream), "/grpc", endpoint.headers, cancel);
  if (!upgraded && upgraded.error().code() == ErrorCode::kUnsupported) {
    return Fail(std::move(upgraded).error().WithHint(
        "this Engine has no BuildKit; it must be Docker 18.09 or newer"));
  }
  // A TLS port answers plain HTTP with 400, or hangs up.
  if (!upgraded && !endpoint.tls && endpoint.host.starts_with("tcp://")) {
    return Fail(std::move(upgraded).error().WithHint(
        "if this Engine wants TLS, set DOCKER_TLS_VERIFY=1 and DOCKER_CERT_PATH"));
  }
  return upgraded;
}

class EngineDriver final : public Driver {
 public:
  explicit EngineDriver(docker::EngineEndpoint endpoint) : endpoint_(std::move(endpoint)) {}

  Result<std::unique_ptr<Builder>> Acquire(const std::optional<Platform>& /*platform*/,
                                           EventSink& sink,
                                           const Cancel& cancel) override {
    Connection connection;
    connection.endpoint = Cat("docker (", endpoint_.host, ")");
    connection.authority = "localhost";
    connection.engine = true;
    connection.dial = [this](const Cancel& c) { return Dial(endpoint_, c); };
    return Hold(connection, kPatience, sink, cancel);
  }

 private:
  docker::EngineEndpoint endpoint_;
};

}  // namespace

std::unique_ptr<Driver> MakeEngineDriver(docker::EngineEndpoint endpoint) {
  return std::make_unique<EngineDriver>(std::move(endpoint));
}

}  // namespace depot::builder
