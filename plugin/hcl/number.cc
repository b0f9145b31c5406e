#include "plugin/hcl/number.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <compare>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <boost/multiprecision/cpp_int.hpp>

namespace depot::hcl {

using Integer = boost::multiprecision::cpp_int;
using Rational = boost::multiprecision::cpp_rational;

/// Either value, or an infinity of the sign of `infinite`.
struct Number::Fraction {
  Rational value;
  int infinite = 0;
};

namespace {

constexpr int kShownDigits =
    154;  // what 512 bits hold, the precision of the numbers that others compute with
constexpr int kLargestExponent = 10'000;

unsigned BitsOf(const Integer& number) {
  return number.is_zero() ? 0 : boost::multiprecision::msb(boost::multiprecision::abs(number)) + 1;
}

Integer PowerOfTen(unsigned exponent) {
  return boost::multiprecision::pow(Integer(10), exponent);
}

std::size_t DigitsOf(const Integer& positive) {
  return positive.is_zero() ? 0 : positive.str().size();
}

/// The digits of a decimal without sign: before and behind the point.
struct Decimal {
  std::string digits;
  std::size_t behind = 0;
  int exponent = 0;
};

std::optional<Decimal> ReadDecimal(std::string_view text) {
  Decimal out;
  std::size_t at = 0;
  auto digits = [&] {
    auto begin = at;
    while (at < text.size() && text[at] >= '0' && text[at] <= '9')
      out.digits += text[at++];
    return at - begin;
  };
  digits();
  if (at < text.size() && text[at] == '.') {
    ++at;
    out.behind = digits();
  }
  if (out.digits.empty()) return std::nullopt;
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && text[at] == '+') ++at;
    auto end = text.data() + text.size();
    auto [stop, error] = std::from_chars(text.data() + at, end, out.exponent);
    if (error != std::errc() || stop != end) return std::nullopt;
    at = text.size();
  }
  if (at != text.size() || std::abs(out.exponent) > kLargestExponent) return std::nullopt;
  return out;
}

Integer FromDigits(std::string_view digits) {
  auto first = digits.find_first_not_of('0');  // a leading zero would mean octal
  return first == std::string_view::npos ? Integer(0) : Integer(std::string(digits.substr(first)));
}

int DigitValue(char c, int base) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'z') return c - 'a' + 10;
  if (c >= 'A' && c <= 'Z') return c - 'A' + (base > 36 ? 36 : 10);
  return std::numeric_limits<int>::max();
}

}  // namespace

Number::Number()
    : fraction_([] {
        static const auto zero = std::make_shared<const Fraction>();
        return zero;
      }()) {}

Number::Number(std::int64_t whole)
    : fraction_(std::make_shared<const Fraction>(Fraction{Rational(whole), 0})) {}

Number::Number(std::shared_ptr<const Fraction> fraction) : fraction_(std::move(fraction)) {}

std::optional<Number> Number::Bounded(Fraction fraction) {
  if (BitsOf(numerator(fraction.value)) > kBits || BitsOf(denominator(fraction.value)) > kBits)
    return std::nullopt;
  return Number(std::make_shared<const Fraction>(std::move(fraction)));
}

std::optional<Number> Number::Parse(std::string_view text) {
  bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  if (text.size() > kLargestExponent) return std::nullopt;
  auto decimal = ReadDecimal(text);
  if (!decimal) return std::nullopt;
  Integer digits = FromDigits(decimal->digits);
  int shift = decimal->exponent - static_cast<int>(decimal->behind);
  Rational value = shift >= 0 ? Rational(digits * PowerOfTen(static_cast<unsigned>(shift)))
                              : Rational(digits, PowerOfTen(static_cast<unsigned>(-shift)));
  return Bounded({negative ? Rational(-value) : value, 0});
}

std::optional<Number> Number::ParseInBase(std::string_view text, int base) {
  bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  if (text.empty() || text.size() > kBits) return std::nullopt;
  Integer value = 0;
  for (char c : text) {
    int digit = DigitValue(c, base);
    if (digit >= base) return std::nullopt;
    value = value * base + digit;
    if (BitsOf(value) > kBits) return std::nullopt;
  }
  return Bounded({Rational(negative ? Integer(-value) : value), 0});
}

std::optional<Number> Number::FromDouble(double value) {
  if (std::isnan(value)) return std::nullopt;
  if (std::isinf(value))
    return Number(std::make_shared<const Fraction>(Fraction{Rational(0), value > 0 ? 1 : -1}));
  char buffer[64];
  auto end =
      std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific).ptr;
  return Parse(std::string_view(buffer, end));
}

std::string Number::Text() const {
  if (fraction_->infinite != 0) return fraction_->infinite > 0 ? "+Inf" : "-Inf";
  Integer top = boost::multiprecision::abs(numerator(fraction_->value));
  Integer bottom = denominator(fraction_->value);
  std::string sign = fraction_->value < 0 ? "-" : "";
  if (bottom == 1) return sign + top.str();
  auto whole_digits = static_cast<int>(DigitsOf(Integer(top / bottom)));
  auto zeros =
      whole_digits > 0 ? 0 : static_cast<int>(DigitsOf(bottom)) - static_cast<int>(DigitsOf(top));
  auto places = static_cast<unsigned>(std::max(kShownDigits - whole_digits + zeros, 0));
  std::string digits = Integer((top * PowerOfTen(places) * 2 + bottom) / (bottom * 2)).str();
  if (digits.size() <= places) digits.insert(0, places + 1 - digits.size(), '0');
  digits.insert(digits.size() - places, ".");
  digits.erase(digits.find_last_not_of('0') + 1);
  if (digits.ends_with('.')) digits.pop_back();
  return sign + digits;
}

std::string Number::TextInBase(int base) const {
  Integer rest = boost::multiprecision::abs(Integer(numerator(Truncated().fraction_->value)));
  std::string out;
  do {
    out += "0123456789abcdef"[static_cast<int>(Integer(rest % base))];
    rest /= base;
  } while (!rest.is_zero());
  if (sign() < 0) out += '-';
  std::reverse(out.begin(), out.end());
  return out;
}

double Number::ToDouble() const {
  if (fraction_->infinite != 0)
    return fraction_->infinite * std::numeric_limits<double>::infinity();
  auto text = Text();
  double out = 0;
  auto error = std::from_chars(text.data(), text.data() + text.size(), out).ec;
  if (error != std::errc::result_out_of_range) return out;
  bool large = boost::multiprecision::abs(fraction_->value) > 1;
  return large ? sign() * std::numeric_limits<double>::infinity() : 0.0;
}

std::optional<std::int64_t> Number::ToInteger() const {
  Integer top = numerator(fraction_->value);
  if (!is_whole() || top > std::numeric_limits<std::int64_t>::max() ||
      top < std::numeric_limits<std::int64_t>::min())
    return std::nullopt;
  return static_cast<std::int64_t>(top);
}

bool Number::is_whole() const {
  return fraction_->infinite == 0 && denominator(fraction_->value) == 1;
}

bool Number::is_infinite() const {
  return fraction_->infinite != 0;
}

int Number::sign() const {
  return fraction_->infinite != 0 ? fraction_->infinite : fraction_->value.sign();
}

std::optional<Number> Number::Plus(const Number& other) const {
  if (is_infinite() || other.is_infinite()) {
    if (fraction_->infinite * other.fraction_->infinite < 0) return std::nullopt;
    return is_infinite() ? *this : other;
  }
  return Bounded({Rational(fraction_->value + other.fraction_->value), 0});
}

std::optional<Number> Number::Minus(const Number& other) const {
  return Plus(other.Negated());
}

std::optional<Number> Number::Times(const Number& other) const {
  if (is_infinite() || other.is_infinite()) {
    if (sign() * other.sign() == 0) return std::nullopt;
    return Bounded({Rational(0), sign() * other.sign()});
  }
  return Bounded({Rational(fraction_->value * other.fraction_->value), 0});
}

std::optional<Number> Number::Over(const Number& other) const {
  if (other.is_infinite()) return is_infinite() ? std::nullopt : std::optional(Number(0));
  if (other.sign() == 0) return sign() == 0 ? std::nullopt : Bounded({Rational(0), sign()});
  if (is_infinite()) return Bounded({Rational(0), sign() * other.sign()});
  return Bounded({Rational(fraction_->value / other.fraction_->value), 0});
}

std::optional<Number> Number::Remainder(const Number& other) const {
  if (other.is_infinite()) return is_infinite() ? std::nullopt : std::optional(*this);
  auto quotient = Over(other);
  if (!quotient || quotient->is_infinite()) return quotient;
  auto product = quotient->Truncated().Times(other);
  return product ? Minus(*product) : std::nullopt;
}

Number Number::Negated() const {
  return Number(std::make_shared<const Fraction>(
      Fraction{Rational(-fraction_->value), -fraction_->infinite}));
}

Number Number::Floor() const {
  if (is_whole() || is_infinite()) return *this;
  auto cut = Truncated();
  return sign() < 0 ? cut.Minus(Number(1)).value_or(cut) : cut;
}

Number Number::Truncated() const {
  if (is_whole() || is_infinite()) return *this;
  Integer cut = numerator(fraction_->value) / denominator(fraction_->value);
  return Number(std::make_shared<const Fraction>(Fraction{Rational(cut), 0}));
}

std::strong_ordering Number::operator<=>(const Number& other) const {
  if (is_infinite() || other.is_infinite())
    return fraction_->infinite <=> other.fraction_->infinite;
  return fraction_->value.compare(other.fraction_->value) <=> 0;
}

}  // namespace depot::hcl
