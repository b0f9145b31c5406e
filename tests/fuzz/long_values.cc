// Header blocks of several frames: what nghttp2 reads of them with the long values taken out is
// what it reads of them as they came.

#include "driver/rpc/long_values.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nghttp2/nghttp2.h>

namespace depot::rpc {
namespace {

/// Of this harness, so that an input of some bytes has long values; HPACK's table has no room for
/// these either.
constexpr std::size_t kShort = 20;
constexpr std::size_t kTable = 32;
constexpr std::size_t kHead = 9;

using Read = std::optional<std::vector<std::pair<std::string, std::string>>>;

class Inflater {
 public:
  Inflater() {
    nghttp2_hd_inflate_new(&inflater_);
    nghttp2_hd_inflate_change_table_size(inflater_, kTable);
  }
  ~Inflater() { nghttp2_hd_inflate_del(inflater_); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  /// The headers of the block; nullopt when it is damaged. `stands_for` may be null.
  Read Inflate(std::string_view block, const LongValues* stands_for) {
    std::vector<std::pair<std::string, std::string>> headers;
    for (bool more = true; more;) {
      nghttp2_nv header{};
      int flags = 0;
      const ssize_t used = nghttp2_hd_inflate_hd2(
          inflater_, &header, &flags, reinterpret_cast<const std::uint8_t*>(block.data()),
          block.size(), 1);
      if (used < 0) return std::nullopt;
      block.remove_prefix(static_cast<std::size_t>(used));
      if (flags & NGHTTP2_HD_INFLATE_EMIT) {
        std::string name(reinterpret_cast<const char*>(header.name), header.namelen);
        std::string value(reinterpret_cast<const char*>(header.value), header.valuelen);
        const std::string* whole = stands_for == nullptr ? nullptr : stands_for->Find(value);
        headers.emplace_back(std::move(name), whole == nullptr ? value : *whole);
      }
      more = (flags & NGHTTP2_HD_INFLATE_EMIT) != 0 || !block.empty();
      if (flags & NGHTTP2_HD_INFLATE_FINAL) more = false;
    }
    nghttp2_hd_inflate_end_headers(inflater_);
    return headers;
  }

 private:
  nghttp2_hd_inflater* inflater_ = nullptr;
};

/// The block as frames of these many bytes, HEADERS and CONTINUATION.
std::string Frames(std::string_view block, std::size_t size) {
  std::string out;
  for (bool first = true; first || !block.empty(); first = false) {
    const std::string_view part = block.substr(0, size);
    block.remove_prefix(part.size());
    out += {'\0',
            '\0',
            static_cast<char>(part.size()),
            first ? '\1' : '\x9',
            block.empty() ? '\4' : '\0',
            '\0',
            '\0',
            '\0',
            '\1'};
    out += part;
  }
  return out;
}

std::string BlockOf(std::string_view frames) {
  std::string block;
  while (frames.size() >= kHead) {
    auto byte = [&](std::size_t i) { return std::size_t{static_cast<unsigned char>(frames[i])}; };
    const std::size_t length = byte(0) << 16 | byte(1) << 8 | byte(2);
    block += frames.substr(kHead, length);
    frames.remove_prefix(std::min(frames.size(), kHead + length));
  }
  return block;
}

void CheckOneBlock(std::string_view block, std::size_t frame, std::size_t step) {
  Inflater plain;
  const Read expected = plain.Inflate(block, nullptr);
  LongValues filter(0, std::make_shared<Budget>(1 << 20), kShort);
  std::string passed;
  Read seen;
  const std::string frames = Frames(block, frame);
  for (std::string_view rest = frames; !rest.empty();) {
    const std::string_view part = rest.substr(0, step);
    rest.remove_prefix(part.size());
    filter.Filter(part, [&](std::string_view bytes) {
      passed += bytes;
      if (rest.empty()) seen = Inflater().Inflate(BlockOf(passed), &filter);
    });
  }
  if (expected && seen != expected) std::abort();
}

}  // namespace
}  // namespace depot::rpc

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace depot::rpc;
  if (size < 2) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::size_t frame = 1 + data[0] % 200;
  const std::size_t step = 1 + data[1];
  // The table is made smaller, as whoever makes the block has to be told.
  CheckOneBlock(std::string("\x3f\x01") + std::string(bytes.substr(2)), frame, step);
  // Frames that nobody has cut for it, too.
  LongValues filter(0, std::make_shared<Budget>(4096), kShort);
  std::size_t passed = 0;
  for (std::size_t at = 2; at < size; at += step)
    filter.Filter(bytes.substr(at, step), [&](std::string_view part) { passed += part.size(); });
  if (filter.Find("") != nullptr) std::abort();
  return 0;
}
