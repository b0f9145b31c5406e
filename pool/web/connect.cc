#include "pool/web/connect.h"

#include <cstdint>
#include <optional>
#include <utility>

#include "driver/base/json.h"
#include "driver/base/text.h"

namespace depot::web {
namespace {

constexpr std::size_t kEnvelopeHead = 5;  // flags, then the payload's length, big-endian
constexpr std::uint8_t kEndOfStream = 2;
constexpr std::size_t kLongestMessage = 4 << 20;

struct CodeEntry {
  std::string_view name;
  RpcCode code;
  int status;
};

constexpr CodeEntry kCodes[] = {
    {"invalid_argument", RpcCode::kInvalidArgument, 400},
    {"unauthenticated", RpcCode::kUnauthenticated, 401},
    {"permission_denied", RpcCode::kPermissionDenied, 403},
    {"not_found", RpcCode::kNotFound, 404},
    {"failed_precondition", RpcCode::kFailedPrecondition, 400},
    {"resource_exhausted", RpcCode::kResourceExhausted, 429},
    {"unimplemented", RpcCode::kUnimplemented, 501},
    {"unavailable", RpcCode::kUnavailable, 503},
    {"internal", RpcCode::kInternal, 500},
};

const CodeEntry& EntryOf(RpcCode code) {
  for (const CodeEntry& entry : kCodes) {
    if (entry.code == code) return entry;
  }
  return kCodes[std::size(kCodes) - 1];
}

Json ErrorJson(const RpcError& error) {
  Json json = Json::Object();
  json.Set("code", Json::String(EntryOf(error.code).name));
  json.Set("message", Json::String(error.message));
  return json;
}

std::string Envelope(std::uint8_t flags, std::string_view payload) {
  std::string out;
  out.reserve(kEnvelopeHead + payload.size());
  out.push_back(static_cast<char>(flags));
  for (int shift = 24; shift >= 0; shift -= 8)
    out.push_back(static_cast<char>(payload.size() >> shift & 0xff));
  out.append(payload);
  return out;
}

Response StreamResponse(std::string envelopes) {
  return {200, "application/connect+proto", {}, Secret(std::move(envelopes))};
}

/// The first message of `bytes`, which it is taken from; nullopt when it is not all there.
Result<std::optional<std::string_view>> NextMessage(std::string_view& bytes) {
  if (bytes.size() < kEnvelopeHead) return std::nullopt;
  std::uint8_t flags = static_cast<std::uint8_t>(bytes[0]);
  if ((flags & 1) != 0) {
    return Fail(ErrorCode::kUnsupported, "compressed messages are not supported: send identity");
  }
  if (flags != 0) {
    return Fail(ErrorCode::kInvalid, Cat("a message has the unknown flags ", int{flags}));
  }
  std::uint32_t length = 0;
  for (std::size_t i = 1; i < kEnvelopeHead; ++i)
    length = length << 8 | static_cast<std::uint8_t>(bytes[i]);
  if (length > kLongestMessage) {
    return Fail(ErrorCode::kInvalid,
                Cat("a message of ", length, " bytes: at most ", kLongestMessage, " are taken"));
  }
  if (bytes.size() - kEnvelopeHead < length) return std::nullopt;
  std::string_view message = bytes.substr(kEnvelopeHead, length);
  bytes.remove_prefix(kEnvelopeHead + length);
  return message;
}

RpcError AsRpcError(const Error& error) {
  bool unsupported = error.code() == ErrorCode::kUnsupported;
  return {unsupported ? RpcCode::kUnimplemented : RpcCode::kInvalidArgument, error.message()};
}

/// What is wrong with a request's media type or protocol version, if anything.
std::optional<Response> Refuse(const Request& request, std::string_view media_type) {
  std::string content_type = request.Header("content-type");
  std::string_view type = Trim(std::string_view(content_type).substr(0, content_type.find(';')));
  if (LowerAscii(type) != media_type) {
    Response response{415, "text/plain; charset=utf-8", {}, Secret{}};
    response.headers.emplace_back("Accept-Post", media_type);
    response.body = Secret(Cat("send ", media_type, "\n"));
    return response;
  }
  std::string version = request.Header("connect-protocol-version");
  if (!version.empty() && version != "1") {
    return UnaryFailure({RpcCode::kInvalidArgument, "only Connect-Protocol-Version 1 is served"});
  }
  return std::nullopt;
}

class MessageReader final : public BodyReader {
 public:
  explicit MessageReader(std::function<Result<>(std::string_view message)> take)
      : take_(std::move(take)) {}

  Result<> Take(std::string_view piece) override {
    if (rest_.empty()) {
      TRY(TakeMessages(piece));
      rest_ = piece;
      return {};
    }
    rest_.append(piece);
    std::string_view bytes = rest_;
    TRY(TakeMessages(bytes));
    rest_.erase(0, rest_.size() - bytes.size());
    return {};
  }

  Response End() override {
    if (rest_.empty()) return StreamAnswer("");
    return StreamFailure({RpcCode::kInvalidArgument, "the stream ends within a message"});
  }

 private:
  Result<> TakeMessages(std::string_view& bytes) {
    while (true) {
      TRY_ASSIGN(std::optional<std::string_view> message, NextMessage(bytes));
      if (!message) return {};
      TRY(take_(*message));
    }
  }

  std::function<Result<>(std::string_view message)> take_;
  std::string rest_;  // the beginning of a message
};

}  // namespace

std::variant<Response, std::string_view> UnaryBody(const Request& request) {
  if (auto refusal = Refuse(request, "application/proto")) return *std::move(refusal);
  std::string encoding = LowerAscii(request.Header("content-encoding"));
  if (!encoding.empty() && encoding != "identity") {
    return UnaryFailure(
        {RpcCode::kUnimplemented, "compressed requests are not supported: send identity"});
  }
  return request.body.Reveal();
}

std::string_view NameOf(RpcCode code) {
  return EntryOf(code).name;
}

Response UnaryAnswer(std::string message) {
  return {200, "application/proto", {}, Secret(std::move(message))};
}

Response UnaryFailure(const RpcError& error) {
  return {EntryOf(error.code).status, "application/json", {}, Secret(ErrorJson(error).Dump())};
}

Response StreamAnswer(std::string_view message) {
  return StreamResponse(Envelope(0, message) + Envelope(kEndOfStream, "{}"));
}

Response StreamFailure(const RpcError& error) {
  Json end = Json::Object();
  end.Set("error", ErrorJson(error));
  return StreamResponse(Envelope(kEndOfStream, end.Dump()));
}

std::variant<Response, std::string> StreamRequestBody(const Request& request) {
  if (auto refusal = Refuse(request, "application/connect+proto")) return *std::move(refusal);
  std::string_view bytes = request.body.Reveal();
  auto message = NextMessage(bytes);
  if (!message) return StreamFailure(AsRpcError(message.error()));
  if (!*message || !bytes.empty()) {
    return StreamFailure({RpcCode::kInvalidArgument, "the request is not one whole message"});
  }
  return std::string(**message);
}

std::unique_ptr<BodyReader> ReadMessages(std::function<Result<>(std::string_view message)> take) {
  return std::make_unique<MessageReader>(std::move(take));
}

}  // namespace depot::web
