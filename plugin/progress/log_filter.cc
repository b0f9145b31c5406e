#include "plugin/progress/log_filter.h"

#include <algorithm>
#include <utility>

#include "driver/base/shown.h"
#include "driver/base/text.h"

namespace depot {
namespace {

constexpr std::size_t kMaxSequence = 64;
constexpr std::size_t kMaxString = 4096;
constexpr std::size_t kMaxActive = 128;
constexpr std::string_view kReset = "\x1b[0m";
constexpr unsigned char kEscByte = 0x1B;

bool IsPlain(char c) {
  auto byte = static_cast<unsigned char>(c);
  return (byte >= 0x20 && byte < 0x7F) || byte == '\t';
}

bool IsHigh(char c) {
  return static_cast<unsigned char>(c) >= 0x80;
}

/// Length of a UTF-8 sequence by its first byte.
std::size_t WantedLength(char lead) {
  auto byte = static_cast<unsigned char>(lead);
  return byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1;
}

/// How many bytes at the end of `bytes` may be the start of a character that is not complete yet.
std::size_t IncompleteTail(std::string_view bytes) {
  for (std::size_t back = 1; back <= std::min<std::size_t>(3, bytes.size()); ++back) {
    char c = bytes[bytes.size() - back];
    if ((static_cast<unsigned char>(c) & 0xC0) != 0x80) return WantedLength(c) > back ? back : 0;
  }
  return 0;
}

/// Whether the parameters of an SGR sequence are well-formed and do not hide text (8).
bool IsHarmlessColour(std::string_view parameters) {
  bool digits = std::all_of(parameters.begin(), parameters.end(),
                            [](char c) { return (c >= '0' && c <= '9') || c == ';' || c == ':'; });
  if (!digits) return false;
  std::size_t skip = 0;
  bool after_colour = false;
  for (std::string_view part : Split(parameters, ';')) {
    // 38, 48 and 58 are followed by 5;INDEX or 2;RED;GREEN;BLUE.
    if (after_colour) {
      skip = part == "5" ? 1 : part == "2" ? 3 : 0;
      after_colour = false;
      continue;
    }
    if (skip > 0) {
      --skip;
      continue;
    }
    std::string_view number = part.substr(0, part.find(':'));
    while (number.size() > 1 && number[0] == '0')
      number.remove_prefix(1);
    if (number == "8") return false;
    after_colour = part == "38" || part == "48" || part == "58";
  }
  return true;
}

}  // namespace

void LogFilter::Feed(std::string_view bytes,
                     std::size_t line_limit,
                     std::vector<std::string>& lines) {
  std::size_t at = 0;
  while (at < bytes.size()) {
    if (state_ != State::kText || (!IsPlain(bytes[at]) && !IsHigh(bytes[at]))) {
      if (state_ == State::kText) FlushUtf8();
      TextByte(static_cast<unsigned char>(bytes[at++]), lines);
      if (line_.size() >= line_limit + kMaxActive) lines.push_back(EndLine());
      continue;
    }
    bool high = IsHigh(bytes[at]);
    std::size_t end = at + 1;
    std::size_t most = std::min(bytes.size(), at + line_limit);
    while (end < most && (high ? IsHigh(bytes[end]) : IsPlain(bytes[end])))
      ++end;
    std::string_view run = bytes.substr(at, end - at);
    if (high) {
      AppendHighBytes(run);
    } else {
      FlushUtf8();
      AppendText(run);
    }
    at = end;
    if (line_.size() >= line_limit) lines.push_back(EndLine());
  }
}

std::string LogFilter::TakeOpen() {
  FlushUtf8();
  return EndLine();
}

void LogFilter::TextByte(unsigned char byte, std::vector<std::string>& lines) {
  // A line's end always ends a sequence too, so that an unfinished one cannot swallow lines.
  if (byte == '\n') {
    state_ = State::kText;
    lines.push_back(EndLine());
  } else if (byte == kEscByte) {
    state_ = State::kEscape;
  } else if (state_ == State::kEscape) {
    EscapeByte(byte);
  } else if (state_ == State::kControl) {
    ControlByte(byte);
  } else if (state_ == State::kString) {
    StringByte(byte);
  } else if (byte == '\r') {
    returned_ = true;
  } else if (byte == '\b') {
    Backspace();
  }
}

void LogFilter::EscapeByte(unsigned char byte) {
  sequence_.clear();
  string_size_ = 0;
  if (byte == '[') {
    state_ = State::kControl;
  } else if (byte == ']' || byte == 'P' || byte == '_' || byte == '^' || byte == 'X') {
    state_ = State::kString;
  } else if (byte < 0x20 || byte > 0x2F) {
    state_ = State::kText;
  }
}

void LogFilter::ControlByte(unsigned char byte) {
  if (byte >= 0x20 && byte < 0x40) {
    if (sequence_.size() <= kMaxSequence) sequence_.push_back(static_cast<char>(byte));
    return;
  }
  state_ = State::kText;
  if (byte == 'm') Colour();
}

void LogFilter::StringByte(unsigned char byte) {
  constexpr unsigned char kBell = 0x07;
  if (byte == kBell || ++string_size_ > kMaxString) state_ = State::kText;
}

void LogFilter::AppendText(std::string_view text) {
  if (text.empty()) return;
  if (returned_) {
    line_ = active_;
    coloured_ = !active_.empty();
    returned_ = false;
  }
  line_.append(text);
  visible_ = true;
}

void LogFilter::AppendHighBytes(std::string_view bytes) {
  utf8_.append(bytes);
  std::size_t tail = IncompleteTail(utf8_);
  std::string rest = utf8_.substr(utf8_.size() - tail);
  utf8_.resize(utf8_.size() - tail);
  FlushUtf8();
  utf8_ = std::move(rest);
}

void LogFilter::FlushUtf8() {
  if (utf8_.empty()) return;
  AppendText(PrintableOutput(utf8_));
  utf8_.clear();
}

void LogFilter::Colour() {
  if (!colours_ || sequence_.size() > kMaxSequence || !IsHarmlessColour(sequence_)) return;
  std::string whole = Cat("\x1b[", sequence_, 'm');
  if (sequence_.find_first_not_of('0') == std::string::npos) {
    if (!active_.empty()) line_.append(kReset);
    active_.clear();
    return;
  }
  if (active_.size() + whole.size() > kMaxActive) active_.clear();
  active_.append(whole);
  line_.append(whole);
  coloured_ = true;
}

void LogFilter::Backspace() {
  if (line_.empty() || coloured_) return;
  while (line_.size() > 1 && (static_cast<unsigned char>(line_.back()) & 0xC0) == 0x80) {
    line_.pop_back();
  }
  line_.pop_back();
}

std::string LogFilter::EndLine() {
  std::string line = std::exchange(line_, active_);
  coloured_ = !active_.empty();
  if (!visible_) line.clear();
  if (visible_ && !active_.empty()) line.append(kReset);
  visible_ = false;
  returned_ = false;
  return line;
}

}  // namespace depot
