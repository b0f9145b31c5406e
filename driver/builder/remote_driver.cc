#include "driver/base/text.h"
#include "driver/builder/connect.h"
#include "driver/builder/driver.h"
#include "driver/rpc/dial.h"

namespace depot::builder {
namespace {

constexpr std::chrono::seconds kPatience(20);

Result<std::unique_ptr<rpc::ByteStream>> Dial(const Endpoint& endpoint, const Cancel& cancel) {
  if (endpoint.kind == Endpoint::Kind::kUnix) {
    TRY_ASSIGN(Fd socket, rpc::DialUnix(endpoint.path, cancel));
    return rpc::MakeSocketStream(std::move(socket));
  }
  TRY_ASSIGN(Fd socket, rpc::DialTcp(endpoint.host, endpoint.port, cancel));
  if (!endpoint.tls) return rpc::MakeSocketStream(std::move(socket));
  return rpc::StartTls(rpc::MakeSocketStream(std::move(socket)), endpoint.tls_options, cancel);
}

class RemoteDriver final : public Driver {
 public:
  explicit RemoteDriver(Endpoint endpoint) : endpoint_(std::move(endpoint)) {}

  Result<std::unique_ptr<Builder>> Acquire(const std::optional<Platform>& /*platform*/,
                                           EventSink& sink,
                                           const Cancel& cancel) override {
    Connection connection;
    connection.endpoint = endpoint_.url;
    // gRPC servers behind a proxy are found by this; the TLS name is what the user calls the
    // server.
    connection.authority = endpoint_.tls ? endpoint_.tls_options.server_name
                           : endpoint_.kind == Endpoint::Kind::kTcp ? endpoint_.host
                                                                    : "localhost";
    connection.dial = [this](const Cancel& c) { return Dial(endpoint_, c); };
    auto builder = Hold(connection, kPatience, sink, cancel);
    // A TLS port drops who does not begin with a handshake, without a word.
    if (!builder && !endpoint_.tls && endpoint_.kind == Endpoint::Kind::kTcp &&
        builder.error().hint().empty()) {
      return Fail(std::move(builder).error().WithHint(
          "if the builder wants TLS, give its CA: ?cacert=PATH or DEPOT_BUILDER_CACERT"));
    }
    return builder;
  }

 private:
  Endpoint endpoint_;
};

}  // namespace

std::unique_ptr<Driver> MakeRemoteDriver(Endpoint endpoint) {
  return std::make_unique<RemoteDriver>(std::move(endpoint));
}

}  // namespace depot::builder
