#pragma once

#include <compare>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace depot::hcl {

/// An exact number of the language: a fraction of whole numbers, or an infinity. A value, cheap to
/// copy. What would need more than kBits bits does not exist: the operations give nullopt then, so
/// that no expression makes numbers without bound.
class Number {
 public:
  /// Enough for 10,000 decimal digits.
  static constexpr unsigned kBits = 34'000;

  Number();  ///< 0
  explicit Number(std::int64_t whole);

  /// `12`, `-1.5`, `1e3`, also `+1`, `.5`, `1.`; nullopt when it is anything else, or too large.
  static std::optional<Number> Parse(std::string_view text);

  /// The digits of `text` in base 2 to 62 (`0-9a-zA-Z`; up to base 36 letters of both cases are
  /// equal), after an optional `-` or `+`; nullopt when it is anything else, or too large.
  static std::optional<Number> ParseInBase(std::string_view text, int base);

  /// The shortest decimal that is this double; nullopt for NaN.
  static std::optional<Number> FromDouble(double value);

  /// A plain decimal, never with an exponent; fractions that do not end are rounded to 154 digits.
  /// Infinities are `+Inf` and `-Inf`.
  std::string Text() const;

  /// The whole part's digits in `base` (2, 8, 16), lower case, with `-` in front if it is negative.
  std::string TextInBase(int base) const;

  double ToDouble() const;

  /// nullopt when it is no whole number, or does not fit.
  std::optional<std::int64_t> ToInteger() const;

  bool is_whole() const;  ///< false for infinities
  bool is_infinite() const;
  int sign() const;  ///< -1, 0, 1

  std::optional<Number> Plus(const Number& other) const;
  std::optional<Number> Minus(const Number& other) const;
  std::optional<Number> Times(const Number& other) const;
  /// By zero it is an infinity; nullopt for 0/0 and for infinities among each other.
  std::optional<Number> Over(const Number& other) const;
  /// What remains of a division that is cut toward zero; has the sign of *this.
  std::optional<Number> Remainder(const Number& other) const;
  Number Negated() const;
  Number Floor() const;      ///< the next whole number toward minus infinity
  Number Truncated() const;  ///< the next whole number toward zero

  bool operator==(const Number& other) const { return std::is_eq(*this <=> other); }
  std::strong_ordering operator<=>(const Number& other) const;

 private:
  struct Fraction;
  explicit Number(std::shared_ptr<const Fraction> fraction);
  static std::optional<Number> Bounded(Fraction fraction);
  std::shared_ptr<const Fraction> fraction_;
};

}  // namespace depot::hcl
