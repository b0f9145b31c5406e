#include <algorithm>
#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "driver/base/text.h"
#include "plugin/hcl/functions.h"

namespace depot::hcl {

namespace {

/// A version (semver.org); what stands behind `+` has no meaning.
struct Version {
  std::array<std::uint64_t, 3> numbers{};
  std::size_t given = 0;  ///< of the numbers; the others are 0
  std::string_view pre;   ///< behind `-`; "" = a release
};

/// `>= 1.2`: one condition of a constraint.
struct Condition {
  std::string_view sign;
  Version version;
};

bool IsAny(std::string_view number) {
  return number == "x" || number == "X" || number == "*";
}

/// `1.2.3-rc.1+build`, with a `v` in front or not, and with fewer numbers; in a condition `any`
/// numbers may be x, X or *. nullopt when it is anything else.
std::optional<Version> ParseVersion(std::string_view text, bool any) {
  Version version;
  if (text.starts_with('v')) text.remove_prefix(1);
  text = text.substr(0, text.find('+'));
  const std::size_t dash = text.find('-');
  if (dash != std::string_view::npos) {
    version.pre = text.substr(dash + 1);
    if (version.pre.empty()) return std::nullopt;
    text = text.substr(0, dash);
  }
  const auto parts = Split(text, '.');
  if (parts.size() > version.numbers.size()) return std::nullopt;
  for (std::size_t index = 0; index < parts.size(); ++index) {
    if (any && IsAny(parts[index])) return version;
    const auto number = ParseDecimal(parts[index]);
    if (!number) return std::nullopt;
    version.numbers[index] = *number;
    version.given = index + 1;
  }
  return version;
}

/// Numbers come before words, and by their size.
std::strong_ordering ComparePart(std::string_view left, std::string_view right) {
  const auto a = ParseDecimal(left);
  const auto b = ParseDecimal(right);
  if (a && b) return *a <=> *b;
  if (a || b) return b.has_value() <=> a.has_value();
  return left.compare(right) <=> 0;
}

std::strong_ordering Compare(const Version& left, const Version& right) {
  const auto numbers = left.numbers <=> right.numbers;
  if (std::is_neq(numbers)) return numbers;
  if (left.pre.empty() || right.pre.empty()) return left.pre.empty() <=> right.pre.empty();
  const auto a = Split(left.pre, '.');
  const auto b = Split(right.pre, '.');
  for (std::size_t index = 0; index < std::min(a.size(), b.size()); ++index) {
    const auto part = ComparePart(a[index], b[index]);
    if (std::is_neq(part)) return part;
  }
  return a.size() <=> b.size();
}

/// How many numbers both have in common from the left.
std::size_t Common(const Version& left, const Version& right) {
  const auto end = std::mismatch(left.numbers.begin(), left.numbers.end(), right.numbers.begin());
  return static_cast<std::size_t>(end.first - left.numbers.begin());
}

/// How many numbers `^` leaves as they are: up to the first that is not 0.
std::size_t KeptByCaret(const Version& version) {
  std::size_t kept = 0;
  while (kept < version.given && version.numbers[kept] == 0)
    ++kept;
  return std::min(kept + 1, version.given);
}

/// As github.com/Masterminds/semver/v3 has it (README, "Checking Version Constraints").
bool Holds(const Condition& condition, const Version& version) {
  const Version& wanted = condition.version;
  const std::string_view sign = condition.sign;
  if (!version.pre.empty() && wanted.pre.empty()) return false;
  const auto order = Compare(version, wanted);
  const bool like = Common(version, wanted) >= wanted.given;
  const bool whole = wanted.given == wanted.numbers.size();
  if (sign == "!=") return whole ? std::is_neq(order) : !like;
  if (sign == ">") return std::is_gt(order) && (whole || !like);
  if (sign == "<") return std::is_lt(order);
  if (sign == ">=" || sign == "=>") return std::is_gteq(order);
  if (sign == "<=" || sign == "=<") return std::is_lteq(order) || (!whole && like);
  if (sign == "^") return std::is_gteq(order) && Common(version, wanted) >= KeptByCaret(wanted);
  if ((sign.empty() || sign == "=") && whole) return std::is_eq(order);
  return std::is_gteq(order) && Common(version, wanted) >= std::min<std::size_t>(wanted.given, 2);
}

Result<Condition> ParseCondition(std::string_view text) {
  const std::size_t end = std::min(text.find_first_not_of("=!<>~^"), text.size());
  Condition condition{text.substr(0, end), {}};
  constexpr std::array<std::string_view, 12> kSigns = {
      "", "=", "!=", ">", "<", ">=", "=>", "<=", "=<", "~", "~>", "^"};
  const auto version = ParseVersion(text.substr(end), true);
  if (!version || std::find(kSigns.begin(), kSigns.end(), condition.sign) == kSigns.end())
    return Refuse(Cat('"', text, "\" is no condition on a version like >= 1.2"));
  condition.version = *version;
  return condition;
}

/// The words of one alternative; a sign may stand apart from its version.
std::vector<std::string> WordsOf(std::string_view text) {
  std::vector<std::string> words;
  bool joins = false;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find_first_of(", \t", at), text.size());
    const std::string_view word = text.substr(at, end - at);
    at = end + 1;
    if (word.empty()) continue;
    if (joins) {
      words.back() += word;
    } else {
      words.emplace_back(word);
    }
    joins = word.find_first_not_of("=!<>~^") == std::string_view::npos;
  }
  return words;
}

/// All conditions hold; `1.2 - 2.0` means from and to.
Result<bool> HoldsAll(std::string_view alternative, const Version& version) {
  auto words = WordsOf(alternative);
  for (std::size_t index = 1; index + 1 < words.size(); ++index) {
    if (words[index] != "-") continue;
    words[index - 1].insert(0, ">=");
    words[index + 1].insert(0, "<=");
    words.erase(words.begin() + static_cast<std::ptrdiff_t>(index));
  }
  if (words.empty()) words.emplace_back("*");
  bool holds = true;
  for (const auto& word : words) {
    TRY_ASSIGN(const auto condition, ParseCondition(word));
    holds &= Holds(condition, version);
  }
  return holds;
}

Result<Value> SemverCmp(const Arguments& arguments) {
  const std::string& text = arguments[0].AsString();
  const auto version = ParseVersion(text, false);
  if (!version) return Refuse(Cat('"', text, "\" is no version like 1.2.3"));
  std::string_view rest = arguments[1].AsString();
  bool holds = false;
  while (true) {
    const std::size_t end = rest.find("||");
    TRY_ASSIGN(const bool one, HoldsAll(rest.substr(0, end), *version));
    holds |= one;
    if (end == std::string_view::npos) return Value::Bool(holds);
    rest.remove_prefix(end + 2);
  }
}

constexpr Function kVersionFunctions[] = {{"semvercmp", "ss", SemverCmp}};

}  // namespace

std::span<const Function> VersionFunctions() {
  return kVersionFunctions;
}

}  // namespace depot::hcl
