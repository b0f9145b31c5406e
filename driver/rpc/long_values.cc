#include "driver/rpc/long_values.h"

#include <algorithm>
#include <utility>

#include <nghttp2/nghttp2.h>

#include "driver/base/text.h"
#include "driver/rpc/huffman.h"

namespace depot::rpc {
namespace {

constexpr std::size_t kFrameHead = 9;
/// We do not ask for larger ones.
constexpr std::size_t kLongestFrame = 16 << 10;
constexpr std::size_t kPriority = 5;
/// What a frame costs beyond its bytes, so that empty ones are bounded too.
constexpr std::size_t kFrameCost = 64;

/// What stands for a long value begins so: no byte of it is allowed in gRPC's metadata, and it is
/// as long as HPACK's table, which the value would not fit into either (RFC 7541, 4.4).
const std::string& StandIn() {
  static const std::string text(NGHTTP2_DEFAULT_HEADER_TABLE_SIZE, '\xFF');
  return text;
}

/// One frame (RFC 9113, 4.1), in bytes that have all of its head.
struct FrameView {
  explicit FrameView(std::string_view bytes)
      : length(Byte(bytes, 0) << 16 | Byte(bytes, 1) << 8 | Byte(bytes, 2)),
        type(static_cast<std::uint8_t>(bytes[3])),
        flags(static_cast<std::uint8_t>(bytes[4])),
        stream(bytes.substr(5, 4)),
        payload(bytes.substr(kFrameHead, length)) {}

  static std::size_t Byte(std::string_view bytes, std::size_t at) {
    return static_cast<unsigned char>(bytes[at]);
  }

  bool has(std::uint8_t flag) const { return (flags & flag) != 0; }

  std::size_t length;
  std::uint8_t type;
  std::uint8_t flags;
  std::string_view stream;
  std::string_view payload;
};

/// Whether a header block begins here that goes on in another frame.
bool BeginsBlock(const FrameView& frame) {
  return frame.type == NGHTTP2_HEADERS && !frame.has(NGHTTP2_FLAG_END_HEADERS) &&
         frame.length <= kLongestFrame;
}

void AppendH2Frame(std::string& out,
                   std::uint8_t type,
                   unsigned flags,
                   std::string_view stream,
                   std::string_view payload) {
  out +=
      {static_cast<char>(payload.size() >> 16), static_cast<char>(payload.size() >> 8 & 0xFF),
       static_cast<char>(payload.size() & 0xFF), static_cast<char>(type), static_cast<char>(flags)};
  out += stream;
  out += payload;
}

/// A header block with what is around it.
struct SplitBlock {
  std::string block;
  std::string priority;  ///< in front of it, or nothing
};

/// nullopt when a frame says that it has more padding than bytes.
std::optional<SplitBlock> SplitFrames(std::string_view frames) {
  SplitBlock split;
  while (!frames.empty()) {
    const FrameView frame(frames);
    std::string_view part = frame.payload;
    if (frame.type == NGHTTP2_HEADERS) {
      std::size_t padding = 0;
      if (frame.has(NGHTTP2_FLAG_PADDED)) {
        if (part.empty()) return std::nullopt;
        padding = FrameView::Byte(part, 0);
        part.remove_prefix(1);
      }
      const std::size_t priority = frame.has(NGHTTP2_FLAG_PRIORITY) ? kPriority : 0;
      if (part.size() < priority + padding) return std::nullopt;
      split.priority = part.substr(0, priority);
      part = part.substr(priority, part.size() - priority - padding);
    }
    split.block += part;
    frames.remove_prefix(kFrameHead + frame.length);
  }
  return split;
}

/// Reads HPACK's representations without knowing what its tables hold (RFC 7541, 5 and 6).
class BlockCursor {
 public:
  explicit BlockCursor(std::string_view block) : block_(block) {}

  bool done() const { return at_ == block_.size(); }
  std::size_t at() const { return at_; }
  unsigned Peek() const { return done() ? 0 : static_cast<unsigned char>(block_[at_]); }

  /// A number whose first byte lends it so many bits; nullopt when it is cut off, or larger than
  /// any block.
  std::optional<std::size_t> Number(unsigned bits) {
    if (done()) return std::nullopt;
    const std::size_t most = (1U << bits) - 1;
    std::size_t number = Next() & most;
    if (number < most) return number;
    for (unsigned shift = 0; shift <= 28; shift += 7) {
      if (done()) return std::nullopt;
      const std::size_t byte = Next();
      number += (byte & 0x7F) << shift;
      if (byte < 0x80) return number;
    }
    return std::nullopt;
  }

  std::optional<std::string_view> String() {
    const std::optional<std::size_t> length = Number(7);
    if (!length || *length > block_.size() - at_) return std::nullopt;
    return block_.substr(std::exchange(at_, at_ + *length), *length);
  }

  /// Up to the value of the next header that has one; false at the end of the block, or when it is
  /// damaged, for which nghttp2 has the words.
  bool GoToValue() {
    while (!done()) {
      const unsigned first = Peek();
      const bool indexed = (first & 0x80) != 0;
      const bool table_size = (first & 0xE0) == 0x20;
      const bool added = (first & 0x40) != 0;
      const std::optional<std::size_t> number = Number(indexed      ? 7
                                                       : table_size ? 5
                                                       : added      ? 6
                                                                    : 4);
      if (!number) return false;
      if (indexed || table_size) continue;
      return (*number != 0 || String()) && !done();
    }
    return false;
  }

 private:
  std::size_t Next() { return static_cast<unsigned char>(block_[at_++]); }

  std::string_view block_;
  std::size_t at_ = 0;
};

std::string StandInFor(std::size_t value) {
  const std::string text = Cat(StandIn(), value);
  std::string out = "\x7F";
  std::size_t rest = text.size() - 0x7F;
  for (; rest >= 0x80; rest >>= 7)
    out.push_back(static_cast<char>(0x80 | (rest & 0x7F)));
  out.push_back(static_cast<char>(rest));
  return out + text;
}

}  // namespace

LongValues::LongValues(std::size_t preface, std::shared_ptr<Budget> budget, std::size_t shortest)
    : budget_(std::move(budget)), shortest_(shortest), passing_(preface), share_(budget_) {}

void LongValues::Filter(std::string_view bytes, const Pass& pass) {
  std::size_t passed = 0;
  std::size_t at = 0;
  while (at < bytes.size()) {
    const std::size_t left = bytes.size() - at;
    if (passing_ > 0) {
      const std::size_t part = std::min(passing_, left);
      passing_ -= part;
      at += part;
    } else if (held_.empty() && left >= kFrameHead && !BeginsBlock(FrameView(bytes.substr(at)))) {
      passing_ = kFrameHead + FrameView(bytes.substr(at)).length;
    } else {
      if (at > passed) pass(bytes.substr(passed, at - passed));
      at += Hold(bytes.substr(at), pass);
      passed = at;
    }
  }
  if (at > passed) pass(bytes.substr(passed, at - passed));
}

/// Takes bytes up to the next place where something is to be decided; returns how many.
std::size_t LongValues::Hold(std::string_view bytes, const Pass& pass) {
  const std::size_t payload_at = frame_at_ + kFrameHead;
  const bool in_head = held_.size() < payload_at;
  const std::size_t end =
      in_head ? payload_at
              : payload_at + FrameView(std::string_view(held_).substr(frame_at_)).length;
  const std::size_t taken = std::min(end - held_.size(), bytes.size());
  held_ += bytes.substr(0, taken);
  if (held_.size() < end) return taken;
  const FrameView frame(std::string_view(held_).substr(frame_at_));
  if (in_head) {
    const bool part = IsPartOfBlock();
    const bool fits = part && share_.Take(kFrameCost + frame.length);
    if (part && !fits) exceeded_ = true;
    if (!fits) {
      passing_ = frame.length;
      Flush(pass);
      return taken;
    }
    if (frame.length > 0) return taken;
  }
  if (frame.has(NGHTTP2_FLAG_END_HEADERS)) {
    PassBlock(pass);
  } else {
    frame_at_ = held_.size();
  }
  return taken;
}

/// Whether the frame whose head is the last that is held belongs to a block that is looked at.
bool LongValues::IsPartOfBlock() const {
  const std::string_view held(held_);
  const FrameView frame(held.substr(frame_at_));
  if (frame_at_ == 0) return BeginsBlock(frame);
  return frame.type == NGHTTP2_CONTINUATION && frame.stream == FrameView(held).stream &&
         frame.length <= kLongestFrame;
}

void LongValues::Flush(const Pass& pass) {
  pass(held_);
  held_ = std::string();
  frame_at_ = 0;
  share_ = BudgetShare(budget_);
}

void LongValues::PassBlock(const Pass& pass) {
  const FrameView first{std::string_view(held_)};
  const std::optional<SplitBlock> split = SplitFrames(held_);
  std::optional<std::string> block;
  if (split) block = WithStandIns(split->block);
  if (block) {
    *block = split->priority + *block;
    std::string frames;
    std::string_view rest = *block;
    const unsigned kept = first.flags & (NGHTTP2_FLAG_END_STREAM | NGHTTP2_FLAG_PRIORITY);
    for (bool begins = true; begins || !rest.empty(); begins = false) {
      const std::string_view part = rest.substr(0, kLongestFrame);
      rest.remove_prefix(part.size());
      AppendH2Frame(frames, begins ? NGHTTP2_HEADERS : NGHTTP2_CONTINUATION,
                    (begins ? kept : 0) | (rest.empty() ? NGHTTP2_FLAG_END_HEADERS : 0),
                    first.stream, part);
    }
    held_ = std::move(frames);
  }
  Flush(pass);
  values_.clear();
}

/// nullopt when it has no long value, or when nghttp2 is to say what is wrong with it.
std::optional<std::string> LongValues::WithStandIns(std::string_view block) {
  std::string out;
  std::size_t copied = 0;
  BlockCursor cursor(block);
  while (cursor.GoToValue()) {
    const std::size_t begin = cursor.at();
    const bool packed = (cursor.Peek() & 0x80) != 0;
    const std::optional<std::string_view> value = cursor.String();
    if (!value) break;
    if (value->size() <= shortest_) continue;
    if (!TakeOut(*value, packed)) break;
    out += block.substr(copied, begin - copied);
    out += StandInFor(values_.size() - 1);
    copied = cursor.at();
  }
  if (!cursor.done() || values_.empty()) return std::nullopt;
  return out + std::string(block.substr(copied));
}

bool LongValues::TakeOut(std::string_view value, bool packed) {
  if (!share_.Take(packed ? value.size() * 8 / 5 : value.size())) {
    exceeded_ = true;
    return false;
  }
  std::optional<std::string> text = packed ? UnpackHuffman(value) : std::string(value);
  if (!text) return false;
  values_.push_back(*std::move(text));
  return true;
}

const std::string* LongValues::Find(std::string_view value) const {
  if (values_.empty() || !value.starts_with(StandIn())) return nullptr;
  const std::optional<std::uint64_t> number = ParseDecimal(value.substr(StandIn().size()));
  return number && *number < values_.size() ? &values_[*number] : nullptr;
}

}  // namespace depot::rpc
