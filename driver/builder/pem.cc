#include "driver/builder/pem.h"

#include <optional>

#include "driver/base/encode.h"
#include "driver/base/text.h"
#include "driver/disk/read_file.h"

namespace depot::builder {
namespace {

constexpr std::size_t kMaxPem = 1 << 20;

}  // namespace

Result<std::string> LoadPem(const std::string& value, std::string_view what, const Cancel& cancel) {
  constexpr std::string_view kBegin = "-----BEGIN ";
  auto as_pem = [&](std::string_view text) -> std::optional<std::string> {
    if (text.find(kBegin) != std::string_view::npos) return std::string(text);
    std::optional<std::string> decoded = FromBase64(Trim(text));
    if (decoded && decoded->find(kBegin) != std::string::npos) return decoded;
    return std::nullopt;
  };
  if (std::optional<std::string> pem = as_pem(value)) return *pem;
  // Key material pasted badly must not be echoed as a file name. Without its BEGIN line, on one
  // line, it is a word of base64 as long as the shortest key, an Ed25519 one; and DER begins with
  // what becomes an M.
  bool bare_key =
      value.size() >= 64 && value.starts_with('M') && FromBase64(Trim(value)).has_value();
  bool like_path = !bare_key && value.size() < 4096 && value.find('\n') == std::string::npos &&
                   (value.find('/') != std::string::npos || value.size() < 256);
  if (!like_path) {
    return Fail(ErrorCode::kInvalid, Cat(what, " is neither PEM, base64 of PEM, nor a path"));
  }
  Result<std::string> content = disk::ReadWholeFile(value, kMaxPem, cancel);
  if (!content) return Fail(std::move(content).error().While(what));
  if (std::optional<std::string> pem = as_pem(*content)) return *pem;
  return Fail(ErrorCode::kInvalid, Cat(what, ": ", value, " is neither PEM nor base64 of PEM"));
}

}  // namespace depot::builder
