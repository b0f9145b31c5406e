#include "driver/builder/pem.h"

#include <cerrno>
#include <optional>

#include <fcntl.h>
#include <unistd.h>

#include "driver/base/encode.h"
#include "driver/base/fd.h"
#include "driver/base/text.h"

namespace depot::builder {
namespace {

constexpr std::size_t kMaxPem = 1 << 20;

Result<std::string> ReadPemFile(const std::string& path, std::string_view what) {
  Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid()) return Fail(SystemError(Cat(what, ": open ", path), errno));
  std::string content;
  char buffer[8192];
  while (true) {
    ssize_t got = ::read(file.get(), buffer, sizeof buffer);
    if (got < 0) return Fail(SystemError(Cat(what, ": read ", path), errno));
    if (got == 0) return content;
    content.append(buffer, static_cast<std::size_t>(got));
    if (content.size() > kMaxPem) {
      return Fail(ErrorCode::kInvalid, Cat(what, ": ", path, " is larger than 1 MiB"));
    }
  }
}

}  // namespace

Result<std::string> LoadPem(const std::string& value, std::string_view what) {
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
  TRY_ASSIGN(std::string content, ReadPemFile(value, what));
  if (std::optional<std::string> pem = as_pem(content)) return *pem;
  return Fail(ErrorCode::kInvalid, Cat(what, ": ", value, " is neither PEM nor base64 of PEM"));
}

}  // namespace depot::builder
