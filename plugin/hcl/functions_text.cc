#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <unicase.h>
#include <unictype.h>
#include <unigbrk.h>
#include <unistr.h>

#include "driver/base/text.h"
#include "plugin/hcl/functions.h"

namespace depot::hcl {

namespace {

const std::uint8_t* Bytes(std::string_view text) {
  return reinterpret_cast<const std::uint8_t*>(text.data());
}

/// What a reader sees as single characters.
std::vector<std::string_view> Graphemes(std::string_view text) {
  std::vector<std::string_view> out;
  const auto* end = Bytes(text) + text.size();
  for (const auto* at = Bytes(text); at < end;) {
    const auto* next = u8_grapheme_next(at, end);
    if (next == nullptr || next <= at) next = at + 1;
    out.push_back(text.substr(static_cast<std::size_t>(at - Bytes(text)),
                              static_cast<std::size_t>(next - at)));
    at = next;
  }
  return out;
}

/// Code point by code point: one never becomes two (the capital of a sharp s is itself).
template <typename Change>
std::string EachPoint(std::string_view text, Change change) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    ucs4_t point = 0;
    auto length = static_cast<std::size_t>(u8_mbtouc(&point, Bytes(text) + at, text.size() - at));
    std::uint8_t bytes[6];
    int written = u8_uctomb(bytes, change(point), sizeof bytes);
    out += written > 0 ? std::string_view(reinterpret_cast<const char*>(bytes),
                                          static_cast<std::size_t>(written))
                       : text.substr(at, length);
    at += length;
  }
  return out;
}

Result<Value> Lower(const Arguments& arguments) {
  return Value::String(EachPoint(arguments[0].AsString(), uc_tolower));
}

Result<Value> Upper(const Arguments& arguments) {
  return Value::String(EachPoint(arguments[0].AsString(), uc_toupper));
}

Result<Value> Title(const Arguments& arguments) {
  bool word = false;
  return Value::String(EachPoint(arguments[0].AsString(), [&word](ucs4_t point) {
    bool first = !word;
    word = uc_is_property_alphabetic(point) || uc_is_property_decimal_digit(point) ||
           point == '_' || point == '\'';
    return first ? uc_totitle(point) : point;
  }));
}

Result<Value> StrLen(const Arguments& arguments) {
  return Value::Integer(static_cast<std::int64_t>(Graphemes(arguments[0].AsString()).size()));
}

Result<Value> Reverse(const Arguments& arguments) {
  auto parts = Graphemes(arguments[0].AsString());
  std::string out;
  for (auto part = parts.rbegin(); part != parts.rend(); ++part)
    out += *part;
  return Value::String(std::move(out));
}

Result<Value> SubStr(const Arguments& arguments) {
  auto parts = Graphemes(arguments[0].AsString());
  TRY_ASSIGN(auto offset, Whole(arguments[1], "the offset"));
  TRY_ASSIGN(auto length, Whole(arguments[2], "the length"));
  auto size = static_cast<std::int64_t>(parts.size());
  if (offset < 0) offset = std::max<std::int64_t>(size + offset, 0);
  std::string out;
  auto end = length < 0 || length > size - offset ? size : offset + length;
  for (auto index = offset; index < end; ++index)
    out += parts[static_cast<std::size_t>(index)];
  return Value::String(std::move(out));
}

Result<Value> JoinTexts(const Arguments& arguments) {
  if (arguments.size() < 2) return Refuse("it takes a separator and at least 1 list");
  std::string out;
  bool first = true;
  for (std::size_t index = 1; index < arguments.size(); ++index) {
    for (const auto& element : arguments[index].elements()) {
      auto text = TextOf(element);
      if (!text) return Refuse(Cat("a list of texts is required: ", TypeName(element), " is none"));
      if (!std::exchange(first, false)) out += arguments[0].AsString();
      out += *text;
      TRY(CheckSize(out.size()));
    }
  }
  return Value::String(std::move(out));
}

Result<Value> SplitText(const Arguments& arguments) {
  std::string_view separator = arguments[0].AsString();
  std::string_view text = arguments[1].AsString();
  Elements out;
  while (separator.empty() && !text.empty()) {
    ucs4_t point = 0;
    auto length = static_cast<std::size_t>(u8_mbtouc(&point, Bytes(text), text.size()));
    out.push_back(Value::String(std::string(text.substr(0, length))));
    text.remove_prefix(length);
  }
  while (!separator.empty()) {
    auto end = text.find(separator);
    out.push_back(Value::String(std::string(text.substr(0, end))));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + separator.size());
  }
  return Value::List(std::move(out));
}

Result<Value> Replace(const Arguments& arguments) {
  std::string_view text = arguments[0].AsString();
  const auto& old = arguments[1].AsString();
  const auto& replacement = arguments[2].AsString();
  std::string out;
  if (old.empty()) out = replacement;
  while (!text.empty()) {
    TRY(CheckSize(out.size()));
    auto at = old.empty() ? 0 : text.find(old);
    if (at == std::string_view::npos) break;
    ucs4_t point = 0;
    auto skipped =
        old.empty() ? static_cast<std::size_t>(u8_mbtouc(&point, Bytes(text), text.size())) : at;
    out += text.substr(0, skipped);
    out += replacement;
    text.remove_prefix(skipped + old.size());
  }
  out += text;
  TRY(CheckSize(out.size()));
  return Value::String(std::move(out));
}

std::vector<ucs4_t> PointsOf(std::string_view text) {
  std::vector<ucs4_t> out;
  while (!text.empty()) {
    ucs4_t point = 0;
    text.remove_prefix(static_cast<std::size_t>(u8_mbtouc(&point, Bytes(text), text.size())));
    out.push_back(point);
  }
  return out;
}

template <typename Unwanted>
std::string_view TrimPoints(std::string_view text, Unwanted unwanted) {
  while (!text.empty()) {
    ucs4_t point = 0;
    auto length = static_cast<std::size_t>(u8_mbtouc(&point, Bytes(text), text.size()));
    if (!unwanted(point)) break;
    text.remove_prefix(length);
  }
  while (!text.empty()) {
    ucs4_t point = 0;
    const auto* last = u8_prev(&point, Bytes(text) + text.size(), Bytes(text));
    if (last == nullptr || !unwanted(point)) break;
    text = text.substr(0, static_cast<std::size_t>(last - Bytes(text)));
  }
  return text;
}

Result<Value> TrimChars(const Arguments& arguments) {
  auto unwanted = PointsOf(arguments[1].AsString());
  std::sort(unwanted.begin(), unwanted.end());
  return Value::String(std::string(TrimPoints(arguments[0].AsString(), [&](ucs4_t point) {
    return std::binary_search(unwanted.begin(), unwanted.end(), point);
  })));
}

Result<Value> TrimSpace(const Arguments& arguments) {
  return Value::String(std::string(TrimPoints(
      arguments[0].AsString(), [](ucs4_t point) { return uc_is_property_white_space(point); })));
}

Result<Value> TrimPrefix(const Arguments& arguments) {
  std::string_view text = arguments[0].AsString();
  if (text.starts_with(arguments[1].AsString())) text.remove_prefix(arguments[1].AsString().size());
  return Value::String(std::string(text));
}

Result<Value> TrimSuffix(const Arguments& arguments) {
  std::string_view text = arguments[0].AsString();
  if (text.ends_with(arguments[1].AsString())) text.remove_suffix(arguments[1].AsString().size());
  return Value::String(std::string(text));
}

Result<Value> Chomp(const Arguments& arguments) {
  std::string text = arguments[0].AsString();
  text.erase(text.find_last_not_of("\r\n") + 1);
  return Value::String(std::move(text));
}

Result<Value> Indent(const Arguments& arguments) {
  TRY_ASSIGN(auto count, Whole(arguments[0], "the number of blanks"));
  if (count < 0) return Refuse("the number of blanks must not be negative");
  auto width = static_cast<std::size_t>(count);
  TRY(CheckSize(width));
  std::string out;
  for (char c : arguments[1].AsString()) {
    out += c;
    if (c != '\n') continue;
    out.append(width, ' ');
    TRY(CheckSize(out.size()));
  }
  return Value::String(std::move(out));
}

Result<Value> BaseName(const Arguments& arguments) {
  std::string_view path = arguments[0].AsString();
  if (path.empty()) return Value::String(".");
  while (path.size() > 1 && path.ends_with('/'))
    path.remove_suffix(1);
  auto slash = path.rfind('/');
  if (slash != std::string_view::npos && path.size() > 1) path.remove_prefix(slash + 1);
  return Value::String(std::string(path));
}

Result<Value> DirName(const Arguments& arguments) {
  std::string_view path = arguments[0].AsString();
  auto slash = path.rfind('/');
  return Value::String(CleanPath(slash == std::string_view::npos ? "" : path.substr(0, slash + 1)));
}

Result<Value> Sanitize(const Arguments& arguments) {
  return Value::String(EachPoint(arguments[0].AsString(), [](ucs4_t point) -> ucs4_t {
    bool fine = (point >= 'a' && point <= 'z') || (point >= 'A' && point <= 'Z') ||
                (point >= '0' && point <= '9') || point == '_' || point == '-';
    return fine ? point : '_';
  }));
}

constexpr Function kTextFunctions[] = {
    {"lower", "s", Lower},
    {"upper", "s", Upper},
    {"title", "s", Title},
    {"strlen", "s", StrLen},
    {"reverse", "s", Reverse},
    {"substr", "snn", SubStr},
    {"join", "sl*", JoinTexts},
    {"split", "ss", SplitText},
    {"replace", "sss", Replace},
    {"trim", "ss", TrimChars},
    {"trimspace", "s", TrimSpace},
    {"trimprefix", "ss", TrimPrefix},
    {"trimsuffix", "ss", TrimSuffix},
    {"chomp", "s", Chomp},
    {"indent", "ns", Indent},
    {"basename", "s", BaseName},
    {"dirname", "s", DirName},
    {"sanitize", "s", Sanitize},
};

}  // namespace

std::span<const Function> TextFunctions() {
  return kTextFunctions;
}

}  // namespace depot::hcl
