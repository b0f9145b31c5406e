#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <unigbrk.h>

#include "driver/base/text.h"
#include "plugin/hcl/functions.h"

namespace depot::hcl {

namespace {

/// `%[n]-+ #05.2f` taken apart.
struct Verb {
  bool minus = false;
  bool plus = false;
  bool zero = false;
  bool space = false;
  bool sharp = false;
  std::size_t width = 0;
  std::optional<std::size_t> precision;
  char letter = '\0';
};

/// A number's decimal digits, without leading zeros, and where the point is among them: 0.05 is "5"
/// and -1.
struct Digits {
  std::string digits;
  int point = 0;
};

Digits DigitsOfNumber(const Number& number) {
  auto text = number.Text();
  Digits out;
  bool whole = true;
  for (char c : text) {
    if (c == '.') whole = false;
    if (c < '0' || c > '9') continue;
    if (out.digits.empty() && c == '0') {
      if (!whole) --out.point;
      continue;
    }
    out.digits += c;
    if (whole) ++out.point;
  }
  return out;
}

/// Leaves `count` digits, rounded to the nearest, half to even.
void Round(Digits& number, std::int64_t count) {
  if (count < 0) number = {};
  if (count < 0 || static_cast<std::size_t>(count) >= number.digits.size()) return;
  auto keep = static_cast<std::size_t>(count);
  auto rest = std::string_view(number.digits).substr(keep);
  bool half = rest.front() == '5' && rest.find_first_not_of('0', 1) == std::string_view::npos;
  bool odd = keep > 0 && (number.digits[keep - 1] - '0') % 2 == 1;
  bool up = half ? odd : rest.front() >= '5';
  number.digits.resize(keep);
  if (!up) return;
  std::size_t at = keep;
  while (at > 0 && number.digits[at - 1] == '9')
    number.digits[--at] = '0';
  if (at > 0) {
    ++number.digits[at - 1];
    return;
  }
  number.digits.insert(0, "1");
  ++number.point;
  if (keep > 0) number.digits.pop_back();
}

std::string Fixed(Digits number, std::size_t precision) {
  Round(number, number.point + static_cast<std::int64_t>(precision));
  std::string out =
      number.point > 0 ? number.digits.substr(0, static_cast<std::size_t>(number.point)) : "0";
  if (number.point > 0) out.resize(static_cast<std::size_t>(number.point), '0');
  if (precision == 0) return out;
  std::string behind(
      number.point < 0 ? std::min(static_cast<std::size_t>(-number.point), precision) : 0, '0');
  if (static_cast<int>(number.digits.size()) > std::max(number.point, 0))
    behind += number.digits.substr(static_cast<std::size_t>(std::max(number.point, 0)));
  behind.resize(precision, '0');
  return out + "." + behind;
}

std::string Exponential(Digits number, std::size_t precision, char letter) {
  Round(number, static_cast<std::int64_t>(precision) + 1);
  int exponent = number.digits.empty() ? 0 : number.point - 1;
  number.digits.resize(precision + 1, '0');
  std::string out = number.digits.substr(0, 1);
  if (precision > 0) out += "." + number.digits.substr(1);
  auto size = std::abs(exponent);
  return Cat(out, letter, exponent < 0 ? "-" : "+", size < 10 ? "0" : "", size);
}

/// %g: the shortest, or `precision` digits, in one of the two forms.
std::string General(Digits number, std::optional<std::size_t> precision, char letter) {
  constexpr int kShortest = 6;
  if (precision) Round(number, static_cast<std::int64_t>(std::max<std::size_t>(*precision, 1)));
  auto end = number.digits.find_last_not_of('0');
  number.digits.resize(end == std::string::npos ? 0 : end + 1);
  int most = precision ? std::max(static_cast<int>(*precision), 1) : kShortest;
  auto count = static_cast<int>(number.digits.size());
  if (precision && most > count && count >= number.point) most = count;
  int exponent = number.digits.empty() ? 0 : number.point - 1;
  if (exponent < -4 || exponent >= std::max(most, 1))
    return Exponential(number, number.digits.empty() ? 0 : number.digits.size() - 1, letter);
  return Fixed(number, static_cast<std::size_t>(std::max(count - number.point, 0)));
}

std::size_t CharactersOf(std::string_view text) {
  std::size_t count = 0;
  const auto* at = reinterpret_cast<const std::uint8_t*>(text.data());
  const auto* end = at + text.size();
  for (; at < end; ++count) {
    const auto* next = u8_grapheme_next(at, end);
    at = next == nullptr ? end : next;
  }
  return count;
}

std::string Pad(const Verb& verb, std::string text) {
  auto size = CharactersOf(text);
  if (verb.width <= size) return text;
  std::string blanks(verb.width - size, ' ');
  return verb.minus ? text + blanks : blanks + text;
}

/// Sign, prefix and zeros around the digits of a number.
std::string PadNumber(const Verb& verb,
                      bool negative,
                      std::string_view prefix,
                      std::string digits) {
  std::string sign = negative ? "-" : verb.plus ? "+" : verb.space ? " " : "";
  auto size = sign.size() + prefix.size() + digits.size();
  if (verb.zero && !verb.minus && verb.width > size) digits.insert(0, verb.width - size, '0');
  return Pad(verb, Cat(sign, prefix, digits));
}

Result<std::string> FormatWhole(const Verb& verb, const Number& number) {
  if (!number.is_whole()) return Refuse("a whole number is required");
  int base = verb.letter == 'b' ? 2 : verb.letter == 'o' ? 8 : verb.letter == 'd' ? 10 : 16;
  auto digits = base == 10 ? number.Text() : number.TextInBase(base);
  bool negative = digits.starts_with('-');
  if (negative) digits.erase(0, 1);
  if (verb.precision && digits.size() < *verb.precision)
    digits.insert(0, *verb.precision - digits.size(), '0');
  if (verb.letter == 'X') {
    for (char& c : digits)
      c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  }
  std::string prefix;
  if (verb.sharp && base != 10)
    prefix = base == 2 ? "0b" : base == 8 ? "0" : verb.letter == 'x' ? "0x" : "0X";
  return PadNumber(verb, negative, prefix, std::move(digits));
}

Result<std::string> FormatFraction(const Verb& verb, const Number& number) {
  constexpr std::size_t kUsual = 6;
  if (number.is_infinite()) return Pad(verb, number.Text());
  auto digits = DigitsOfNumber(number);
  auto precision = verb.precision.value_or(kUsual);
  switch (verb.letter) {
    case 'f':
    case 'F':
      return PadNumber(verb, number.sign() < 0, "", Fixed(std::move(digits), precision));
    case 'e':
    case 'E':
      return PadNumber(verb, number.sign() < 0, "",
                       Exponential(std::move(digits), precision, verb.letter));
    default:
      return PadNumber(verb, number.sign() < 0, "",
                       General(std::move(digits), verb.precision, verb.letter == 'G' ? 'E' : 'e'));
  }
}

Result<std::string> FormatText(const Verb& verb, const Value& value) {
  TRY_ASSIGN(auto text, TextOf(value));
  if (verb.precision) {
    const auto* begin = reinterpret_cast<const std::uint8_t*>(text.data());
    const auto* at = begin;
    const auto* end = begin + text.size();
    for (std::size_t count = 0; count < *verb.precision && at < end; ++count)
      at = u8_grapheme_next(at, end);
    text.resize(static_cast<std::size_t>(at - begin));
  }
  if (verb.letter == 'q') {
    TRY_ASSIGN(text, ToJson(Value::String(text)));
  }
  return Pad(verb, std::move(text));
}

/// `%v` and `%#v`.
Result<std::string> FormatAny(const Verb& verb, const Value& value) {
  if (!verb.sharp && value.is_string()) return Pad(verb, value.AsString());
  if (!verb.sharp && value.kind() == Value::Kind::kNumber) {
    const auto& number = value.AsNumber();
    if (number.is_infinite()) return Pad(verb, number.Text());
    auto text = General(DigitsOfNumber(number), std::nullopt, 'e');
    return Pad(verb, number.sign() < 0 ? "-" + text : text);
  }
  TRY_ASSIGN(auto json, ToJson(value));
  return Pad(verb, std::move(json));
}

Result<std::string> FormatOne(const Verb& verb, const Value& value) {
  constexpr std::string_view kKnown = "vtbdoxXeEfFgGsq";
  if (kKnown.find(verb.letter) == std::string_view::npos)
    return Refuse(Cat("`%", verb.letter, "` is unknown"));
  if (verb.letter == 'v') return FormatAny(verb, value);
  if (value.is_null()) return Refuse(Cat("null cannot be written as `%", verb.letter, "`"));
  if (verb.letter == 's' || verb.letter == 'q') return FormatText(verb, value);
  if (verb.letter == 't') {
    TRY_ASSIGN(auto truth, Convert(value, Type::Of(Type::Kind::kBool)));
    return Pad(verb, truth.AsBool() ? "true" : "false");
  }
  TRY_ASSIGN(auto number, Convert(value, Type::Of(Type::Kind::kNumber)));
  bool whole = std::string_view("bdoxX").find(verb.letter) != std::string_view::npos;
  return whole ? FormatWhole(verb, number.AsNumber()) : FormatFraction(verb, number.AsNumber());
}

/// One run over a format.
class Formatter {
 public:
  Formatter(std::string_view format, const Elements& values) : rest_(format), values_(values) {}

  Result<std::string> Run() {
    std::string out;
    for (;;) {
      TRY(CheckSize(out.size()));
      auto percent = rest_.find('%');
      out += rest_.substr(0, percent);
      if (percent == std::string_view::npos) break;
      rest_.remove_prefix(percent + 1);
      TRY_ASSIGN(auto one, Next());
      out += one;
    }
    if (used_ < values_.size())
      return Refuse(Cat("the format uses ", used_, " of ", values_.size(), " values"));
    return out;
  }

 private:
  Result<std::string> Next() {
    Verb verb;
    TakeFlags(verb);
    TRY_ASSIGN(auto width, TakeSize());
    verb.width = width.value_or(0);
    if (Take('.')) {
      TRY_ASSIGN(auto precision, TakeSize());
      verb.precision = precision.value_or(0);
    }
    if (Take('[')) {
      TRY_ASSIGN(auto index, TakeSize());
      if (!Take(']') || index.value_or(0) == 0) return Refuse("`%[n]` needs a number from 1");
      next_ = *index - 1;
    }
    if (rest_.empty()) return Refuse("the format ends in the middle of a `%`");
    verb.letter = rest_.front();
    rest_.remove_prefix(1);
    if (verb.letter == '%') return std::string("%");
    if (next_ >= values_.size())
      return Refuse(Cat("the format needs a value ", next_ + 1, ", here are ", values_.size()));
    const auto& value = values_[next_++];
    used_ = std::max(used_, next_);
    return FormatOne(verb, value);
  }

  void TakeFlags(Verb& verb) {
    for (; !rest_.empty(); rest_.remove_prefix(1)) {
      switch (rest_.front()) {
        case '-':
          verb.minus = true;
          break;
        case '+':
          verb.plus = true;
          break;
        case '0':
          verb.zero = true;
          break;
        case ' ':
          verb.space = true;
          break;
        case '#':
          verb.sharp = true;
          break;
        default:
          return;
      }
    }
  }

  bool Take(char c) {
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }

  Result<std::optional<std::size_t>> TakeSize() {
    auto digits = rest_.substr(0, std::min(rest_.find_first_not_of("0123456789"), rest_.size()));
    rest_.remove_prefix(digits.size());
    if (digits.empty()) return std::optional<std::size_t>();
    constexpr std::size_t kMost = 100'000;
    auto size = ParseDecimal(digits);
    if (!size || *size > kMost) return Refuse("a width, precision or index is too large");
    return std::optional<std::size_t>(*size);
  }

  std::string_view rest_;
  const Elements& values_;
  std::size_t next_ = 0;
  std::size_t used_ = 0;
};

Result<Value> Format(const Arguments& arguments) {
  Elements values(arguments.begin() + 1, arguments.end());
  TRY_ASSIGN(auto text, Formatter(arguments[0].AsString(), values).Run());
  return Value::String(std::move(text));
}

Result<Value> FormatList(const Arguments& arguments) {
  std::optional<std::size_t> length;
  for (std::size_t index = 1; index < arguments.size(); ++index) {
    if (!arguments[index].is_sequence()) continue;
    auto size = arguments[index].elements().size();
    if (length && *length != size)
      return Refuse(Cat("the lists have ", *length, " and ", size, " elements"));
    length = size;
  }
  Elements out;
  std::size_t total = 0;
  for (std::size_t row = 0; row < length.value_or(1); ++row) {
    Elements values;
    for (std::size_t index = 1; index < arguments.size(); ++index)
      values.push_back(arguments[index].is_sequence() ? arguments[index].elements()[row]
                                                      : arguments[index]);
    TRY_ASSIGN(auto text, Formatter(arguments[0].AsString(), values).Run());
    total += text.size();
    TRY(CheckSize(total));
    out.push_back(Value::String(std::move(text)));
  }
  return Value::List(std::move(out));
}

constexpr Function kFormatFunctions[] = {
    {"format", "sa?*", Format},
    {"formatlist", "sa?*", FormatList},
};

}  // namespace

std::span<const Function> FormatFunctions() {
  return kFormatFunctions;
}

}  // namespace depot::hcl
