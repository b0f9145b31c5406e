#include "driver/rpc/wire.h"

#include "driver/base/encode.h"
#include "driver/base/text.h"
#include "driver/rpc/server.h"

namespace depot::rpc {
namespace {

bool IsBinary(std::string_view key) {
  return key.ends_with("-bin");
}

}  // namespace

void AppendMetadata(Headers& headers, const Metadata& metadata) {
  for (const auto& [key, value] : metadata.entries()) {
    headers.emplace_back(key, IsBinary(key) ? Base64(value) : value);
  }
}

Metadata ReadMetadata(Headers&& headers) {
  Metadata metadata;
  for (auto& [key, value] : headers) {
    if (key.starts_with(':') || key.starts_with("grpc-")) continue;
    if (IsBinary(key)) value = FromBase64(value).value_or("");
    metadata.Add(std::move(key), std::move(value));
  }
  return metadata;
}

std::string EncodeMessage(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c < ' ' || c > '~' || c == '%') {
      out += Cat('%', Hex({&c, 1}));
    } else {
      out += c;
    }
  }
  return out;
}

bool ReadStatus(const Headers& headers, Status& status) {
  std::string_view code = FindHeader(headers, "grpc-status");
  if (code.empty()) return false;
  std::uint64_t number = ParseDecimal(code).value_or(2);
  status.code = number <= 16 ? static_cast<Code>(number) : Code::kUnknown;
  status.message = PercentDecode(FindHeader(headers, "grpc-message"));
  status.details = FromBase64(FindHeader(headers, "grpc-status-details-bin")).value_or("");
  return true;
}

Headers StatusTrailers(const Status& status) {
  Headers trailers = {{"grpc-status", std::to_string(static_cast<int>(status.code))}};
  if (!status.message.empty()) {
    // The peer's limit on headers must not turn a long message into another error.
    constexpr std::size_t kMaxMessage = 4 << 10;
    trailers.emplace_back("grpc-message", EncodeMessage(status.message.substr(0, kMaxMessage)));
  }
  if (!status.details.empty()) {
    trailers.emplace_back("grpc-status-details-bin", Base64(status.details));
  }
  return trailers;
}

std::string_view FindHeader(const Headers& headers, std::string_view name) {
  for (const auto& [key, value] : headers) {
    if (key == name) return value;
  }
  return {};
}

void AppendFrame(std::string& out, std::size_t size, bool packed) {
  out.push_back(packed ? '\1' : '\0');
  for (int shift = 24; shift >= 0; shift -= 8)
    out.push_back(static_cast<char>(size >> shift & 0xFF));
}

}  // namespace depot::rpc
