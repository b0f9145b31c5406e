#include "driver/base/text.h"
#include "driver/builder/connect.h"
#include "driver/builder/driver.h"
#include "driver/builder/schemes.h"

namespace depot::builder {
namespace {

class RemoteDriver final : public Driver {
 public:
  explicit RemoteDriver(Endpoint endpoint)
      : endpoint_(std::make_shared<const Endpoint>(std::move(endpoint))) {}

  Result<std::unique_ptr<Builder>> Acquire(const std::optional<Platform>& /*platform*/,
                                           EventSink& sink,
                                           const Cancel& cancel) override {
    return Reach(Connection(), sink, cancel);
  }

  Result<std::unique_ptr<Builder>> TryOnce(EventSink& sink, const Cancel& cancel) override {
    Connection connection;
    connection.patience = std::chrono::seconds(0);
    return Reach(std::move(connection), sink, cancel);
  }

 private:
  Result<std::unique_ptr<Builder>> Reach(Connection connection,
                                         EventSink& sink,
                                         const Cancel& cancel) {
    connection.endpoint = endpoint_->url;
    connection.same_machine = endpoint_->scheme == "unix";
    // gRPC servers behind a proxy are found by this; the TLS name is what the user calls the
    // server.
    connection.authority = endpoint_->tls               ? endpoint_->tls_options.server_name
                           : endpoint_->scheme == "tcp" ? endpoint_->host
                                                        : "localhost";
    connection.dial = [endpoint = endpoint_](const Cancel& c) { return Dial(*endpoint, c); };
    auto builder = Hold(std::move(connection), sink, cancel);
    // What a program says without the builder, on its output or not at all, is best seen there.
    const bool ran = !builder && builder.error().code() != ErrorCode::kNotFound;
    if (ran && !endpoint_->program.empty() && !cancel.cancelled()) {
      return Fail(std::move(builder).error().WithHint(
          Cat("does this work by hand? ", Join(endpoint_->program, " "))));
    }
    // A TLS port drops who does not begin with a handshake, without a word.
    if (!builder && !cancel.cancelled() && !endpoint_->tls && endpoint_->scheme == "tcp" &&
        builder.error().hint().empty()) {
      return Fail(std::move(builder).error().WithHint(
          "if the builder wants TLS, give its CA: ?cacert=PATH or DEPOT_BUILDER_CACERT"));
    }
    return builder;
  }

  std::shared_ptr<const Endpoint> endpoint_;
};

}  // namespace

std::unique_ptr<Driver> MakeRemoteDriver(Endpoint endpoint) {
  return std::make_unique<RemoteDriver>(std::move(endpoint));
}

}  // namespace depot::builder
