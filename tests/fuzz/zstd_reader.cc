// A packed archive on standard input, read in pieces: each Read() of its own size, all of it ends,
// and what comes does not depend on the pieces.

#include "driver/session/zstd_reader.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "tests/fuzz/pieces.h"

namespace {

using namespace depot;
using fuzz::Expect;

constexpr std::size_t kMost = 4 << 20;

/// What is unpacked of `packed`, at most kMost bytes; nullopt for an error.
std::optional<std::string> Unpacked(std::string_view packed, std::size_t piece, std::size_t read) {
  session::ZstdReader reader;
  const session::ZstdReader::Source source = [&](char* into, std::size_t size) {
    const std::size_t count = std::min({piece, size, packed.size()});
    std::memcpy(into, packed.data(), count);
    packed.remove_prefix(count);
    return Result<std::size_t>(count);
  };
  std::string out;
  std::string buffer(read, '\0');
  while (out.size() < kMost) {
    const auto got = reader.Read(buffer.data(), buffer.size(), source);
    if (!got) {
      Expect(got.error().code() == ErrorCode::kInvalid);
      return std::nullopt;
    }
    Expect(*got <= buffer.size());
    if (*got == 0) return out;
    out.append(buffer, 0, *got);
  }
  return out.substr(0, kMost);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)session::IsZstd(text);
  const auto whole = Unpacked(text, text.size() + 1, 64 << 10);
  const auto pieces = Unpacked(text, 1 + size % 7, 1000);
  const auto ends = [](const std::optional<std::string>& out) {
    return !out || out->size() < kMost;
  };
  if (ends(whole) && ends(pieces)) Expect(whole == pieces);
  return 0;
}
