#include "driver/rpc/channel.h"

#include <nghttp2/nghttp2.h>

#include "driver/base/text.h"
#include "driver/rpc/h2_connection.h"
#include "driver/rpc/server.h"
#include "driver/rpc/wire.h"

namespace depot::rpc {
namespace {

constexpr H2Limits kChannelLimits{.message = 64 << 20, .unfinished = 128 << 20};

/// What an HTTP status without a gRPC one means (grpc/doc/http-grpc-status-mapping.md).
Code CodeOfHttp(std::string_view status) {
  if (status == "401") return Code::kUnauthenticated;
  if (status == "403") return Code::kPermissionDenied;
  if (status == "404") return Code::kUnimplemented;
  if (status == "429" || status == "502" || status == "503" || status == "504") {
    return Code::kUnavailable;
  }
  return status == "400" ? Code::kInternal : Code::kUnknown;
}

Status StatusOfReset(std::uint32_t code) {
  switch (code) {
    case NGHTTP2_CANCEL:
      return {Code::kCancelled, "the peer cancelled the call", ""};
    case NGHTTP2_REFUSED_STREAM:
      return {Code::kUnavailable, "the peer refused the call", ""};
    case NGHTTP2_ENHANCE_YOUR_CALM:
      return {Code::kResourceExhausted, "the peer says it is asked too much", ""};
    default:
      return {Code::kInternal, Cat("the peer reset the call: ", nghttp2_http2_strerror(code)), ""};
  }
}

class OpenedCall final : public ClientCall {
 public:
  OpenedCall(H2Connection& connection, H2Connection::StreamPtr stream)
      : connection_(connection), stream_(std::move(stream)) {}

  ~OpenedCall() override { Abort(); }

  Result<> Write(BytesList message, const Cancel& cancel) override {
    return Send(std::move(message), false, cancel);
  }

  Result<> WritePacked(std::string packed, const Cancel& cancel) override {
    return Send({Bytes(std::move(packed))}, true, cancel);
  }

  void CloseWrites() override { connection_.EndSend(stream_, std::nullopt); }

  Result<std::optional<std::string>> Read(const Cancel& cancel) override {
    return connection_.Receive(stream_, cancel);
  }

  Status Finish(const Cancel& cancel) override {
    Result<> ended = connection_.WaitEnd(stream_, cancel);
    if (!ended) {
      Abort();
      return ToStatus(ended.error());
    }
    Status status;
    std::string http_status;
    std::uint32_t reset_code = 0;
    bool known = connection_.With(stream_, [&](const H2Stream& stream) {
      if (stream.fault) {
        status = *stream.fault;
        return true;
      }
      http_status = FindHeader(stream.headers, ":status");
      reset_code = stream.reset_code;
      return ReadStatus(stream.trailers, status) || ReadStatus(stream.headers, status);
    });
    status.told = known;
    if (known) return status;
    if (!http_status.empty() && http_status != "200") {
      return {CodeOfHttp(http_status), Cat("the peer answered with HTTP status ", http_status), ""};
    }
    if (reset_code != NGHTTP2_NO_ERROR) return StatusOfReset(reset_code);
    Result<> alive = connection_.Alive();
    return {
        Code::kUnavailable,
        alive ? std::string("the peer ended the call without a status") : alive.error().message(),
        ""};
  }

  void Abort() override { connection_.Reset(stream_, NGHTTP2_CANCEL); }

 private:
  Result<> Send(BytesList message, bool packed, const Cancel& cancel) {
    std::string prefix;
    AppendFrame(prefix, TotalSize(message), packed);
    message.insert(message.begin(), Bytes(std::move(prefix)));
    return connection_.Send(stream_, std::move(message), cancel);
  }

  H2Connection& connection_;
  H2Connection::StreamPtr stream_;
};

class H2Channel final : public Channel {
 public:
  H2Channel(std::unique_ptr<ByteStream> stream, std::string authority)
      : authority_(std::move(authority)),
        connection_(H2Connection::Role::kClient, std::move(stream), kChannelLimits, nullptr) {
    connection_.Start();
  }

  std::unique_ptr<ClientCall> Start(const std::string& method, const Metadata& metadata) override {
    return Open(method, metadata, {});
  }

  std::unique_ptr<ClientCall> StartPackable(const std::string& method,
                                            const Metadata& metadata) override {
    return Open(method, metadata, {{"grpc-encoding", "gzip"}});
  }

  Result<> Alive() const override { return connection_.Alive(); }

  bool Dismissed() const override { return connection_.Dismissed(); }

  void Close(const Error& reason) override { connection_.Close(reason); }

  void Outlast(std::chrono::seconds silence) override { connection_.Outlast(silence); }

 private:
  std::unique_ptr<ClientCall> Open(const std::string& method,
                                   const Metadata& metadata,
                                   const Headers& more) {
    Headers headers = {
        {":method", "POST"},           {":scheme", "http"}, {":path", method},
        {":authority", authority_},    {"te", "trailers"},  {"content-type", "application/grpc"},
        {"user-agent", "docker-depot"}};
    headers.insert(headers.end(), more.begin(), more.end());
    AppendMetadata(headers, metadata);
    return std::make_unique<OpenedCall>(connection_, connection_.Open(headers));
  }

  std::string authority_;
  H2Connection connection_;
};

}  // namespace

Status Channel::Unary(const std::string& method,
                      const Metadata& metadata,
                      std::string request,
                      std::string& response,
                      const Cancel& cancel) {
  std::unique_ptr<ClientCall> call = Start(method, metadata);
  // When the peer ends the call early, its status says more than a failed write.
  if (call->Write({Bytes(std::move(request))}, cancel)) call->CloseWrites();
  Result<std::optional<std::string>> message = call->Read(cancel);
  Status status = call->Finish(cancel);
  if (!status.ok()) return status;
  if (!message || !*message) return {Code::kInternal, "the peer sent no answer", "", true};
  response = std::move(**message);
  return status;
}

std::unique_ptr<Channel> MakeChannel(std::unique_ptr<ByteStream> stream, std::string authority) {
  return std::make_unique<H2Channel>(std::move(stream), std::move(authority));
}

}  // namespace depot::rpc
