#include "plugin/hcl/json_reader.h"

#include <charconv>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <unistr.h>

namespace depot::hcl {

namespace {

constexpr std::size_t kDeepestJson = 150;

using Pointer = std::shared_ptr<const JsonValue>;
template <typename T = void>
using Read = tl::expected<T, JsonFault>;

void AppendPoint(std::string& out, std::uint32_t point) {
  std::uint8_t bytes[6];
  int length = u8_uctomb(bytes, point, sizeof bytes);
  out += length > 0 ? std::string_view(reinterpret_cast<const char*>(bytes),
                                       static_cast<std::size_t>(length))
                    : std::string_view("\uFFFD");
}

/// Recursive descent; one use each.
class JsonReader {
 public:
  explicit JsonReader(std::string_view text) : text_(text) {}

  Read<Pointer> Document() {
    auto value = AnyValue(0);
    if (!value) return value;
    SkipBlanks();
    if (at_ < text_.size()) return Failed("nothing may follow the value");
    return value;
  }

 private:
  tl::unexpected<JsonFault> Failed(std::string what) const {
    return tl::unexpected(JsonFault{std::move(what), at_});
  }

  void SkipBlanks() {
    auto found = text_.find_first_not_of(" \t\r\n", at_);
    at_ = found == std::string_view::npos ? text_.size() : found;
  }

  bool Take(std::string_view word) {
    if (!text_.substr(at_).starts_with(word)) return false;
    at_ += word.size();
    return true;
  }

  Read<Pointer> AnyValue(std::size_t depth) {
    SkipBlanks();
    if (depth > kDeepestJson) return Failed("nested too deep");
    JsonValue value;
    value.begin = at_;
    auto read = Fill(value, depth);
    if (!read) return tl::unexpected(read.error());
    value.end = at_;
    return std::make_shared<const JsonValue>(std::move(value));
  }

  Read<> Fill(JsonValue& value, std::size_t depth) {
    if (Take("{")) return Object(value, depth);
    if (Take("[")) return Array(value, depth);
    if (Take("\"")) return Text(value);
    if (Take("null")) return {};
    bool yes = Take("true");
    if (yes || Take("false")) {
      value.kind = JsonValue::Kind::kBool;
      value.truth = yes;
      return {};
    }
    return Digits(value);
  }

  Read<> Digits(JsonValue& value) {
    auto end = text_.find_first_not_of("+-.0123456789eE", at_);
    auto word = text_.substr(at_, end == std::string_view::npos ? end : end - at_);
    auto bare = word.substr(word.starts_with('-') ? 1 : 0);
    bool octal = bare.size() > 1 && bare[0] == '0' && bare[1] >= '0' && bare[1] <= '9';
    bool shape = !bare.empty() && bare.front() >= '0' && bare.front() <= '9' &&
                 word.find(".e") == std::string_view::npos &&
                 word.find(".E") == std::string_view::npos && !word.ends_with('.') && !octal;
    auto number = shape ? Number::Parse(word) : std::nullopt;
    if (!number)
      return Failed(at_ < text_.size() ? "a value is expected here"
                                       : "a value is missing at the end");
    at_ += word.size();
    value.kind = JsonValue::Kind::kNumber;
    value.number = *std::move(number);
    return {};
  }

  std::optional<std::uint32_t> FourDigits() {
    auto digits = text_.substr(at_, 4);
    std::uint32_t point = 0;
    auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), point, 16);
    if (digits.size() != 4 || error != std::errc() || stop != digits.data() + 4)
      return std::nullopt;
    at_ += 4;
    return point;
  }

  bool Escape(std::string& out) {
    constexpr std::string_view kLetters = "\"\\/bfnrt";
    constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
    auto found = at_ < text_.size() ? kLetters.find(text_[at_]) : std::string_view::npos;
    if (found != std::string_view::npos) {
      ++at_;
      out += kMeanings[found];
      return true;
    }
    if (!Take("u")) return false;
    auto point = FourDigits();
    if (!point) return false;
    if (*point >= 0xD800 && *point < 0xDC00 && Take("\\u")) {
      auto low = FourDigits();
      if (!low || *low < 0xDC00 || *low > 0xDFFF) return false;
      *point = 0x10000 + ((*point - 0xD800) << 10U) + (*low - 0xDC00);
    }
    AppendPoint(out, *point);
    return true;
  }

  Read<> Text(JsonValue& value) {
    value.kind = JsonValue::Kind::kString;
    for (;;) {
      auto plain = text_.find_first_of("\"\\\n", at_);
      if (plain == std::string_view::npos || text_[plain] == '\n')
        return Failed("a closing quote is missing");
      value.text += text_.substr(at_, plain - at_);
      at_ = plain + 1;
      if (text_[plain] == '"') return {};
      value.escaped = true;
      if (!Escape(value.text)) return Failed("invalid escape");
    }
  }

  Read<> Array(JsonValue& value, std::size_t depth) {
    value.kind = JsonValue::Kind::kArray;
    SkipBlanks();
    if (Take("]")) return {};
    for (;;) {
      auto element = AnyValue(depth + 1);
      if (!element) return tl::unexpected(element.error());
      value.elements.push_back(*std::move(element));
      SkipBlanks();
      if (Take("]")) return {};
      if (!Take(",")) return Failed("`,` or `]` is expected here");
    }
  }

  Read<> Object(JsonValue& value, std::size_t depth) {
    value.kind = JsonValue::Kind::kObject;
    SkipBlanks();
    if (Take("}")) return {};
    for (;;) {
      SkipBlanks();
      JsonMember member;
      member.name.begin = at_;
      if (!Take("\"")) return Failed("a name in quotes is expected here");
      auto name = Text(member.name);
      if (!name) return name;
      member.name.end = at_;
      SkipBlanks();
      if (!Take(":")) return Failed("`:` is expected here");
      auto content = AnyValue(depth + 1);
      if (!content) return tl::unexpected(content.error());
      member.value = *std::move(content);
      value.members.push_back(std::move(member));
      SkipBlanks();
      if (Take("}")) return {};
      if (!Take(",")) return Failed("`,` or `}` is expected here");
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

tl::expected<std::shared_ptr<const JsonValue>, JsonFault> ReadJson(std::string_view text) {
  return JsonReader(text).Document();
}

}  // namespace depot::hcl
