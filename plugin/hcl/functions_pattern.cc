#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <re2/re2.h>

#include "driver/base/text.h"
#include "plugin/hcl/functions.h"

namespace depot::hcl {

namespace {

using Groups = std::vector<re2::StringPiece>;

Result<std::unique_ptr<RE2>> Compile(const std::string& pattern) {
  RE2::Options options;
  options.set_log_errors(false);
  auto compiled = std::make_unique<RE2>(pattern, options);
  if (!compiled->ok()) return Refuse(Cat("the pattern is wrong: ", compiled->error()));
  return compiled;
}

/// `regex` allows groups with names or without, not both.
Result<> CheckGroups(const RE2& pattern) {
  auto names = pattern.NamedCapturingGroups().size();
  if (names != 0 && names != static_cast<std::size_t>(pattern.NumberOfCapturingGroups()))
    return Refuse("either all groups have names or none");
  return {};
}

bool FindFrom(const RE2& pattern, std::string_view text, std::size_t at, Groups& groups) {
  groups.assign(static_cast<std::size_t>(pattern.NumberOfCapturingGroups()) + 1, {});
  return pattern.Match(re2::StringPiece(text.data(), text.size()), at, text.size(), RE2::UNANCHORED,
                       groups.data(), static_cast<int>(groups.size()));
}

Value GroupValue(const re2::StringPiece& group) {
  return group.data() == nullptr ? Value() : Value::String(std::string(group.data(), group.size()));
}

Value MatchValue(const RE2& pattern, const Groups& groups) {
  if (groups.size() == 1) return GroupValue(groups.front());
  const auto& names = pattern.CapturingGroupNames();
  if (!names.empty()) {
    Members members;
    for (const auto& [index, name] : names)
      members.emplace(name, GroupValue(groups[static_cast<std::size_t>(index)]));
    return Value::Object(std::move(members));
  }
  Elements elements;
  for (std::size_t index = 1; index < groups.size(); ++index)
    elements.push_back(GroupValue(groups[index]));
  return Value::Tuple(std::move(elements));
}

/// The end of a match, and one character on if it was empty, so that there is progress.
std::size_t Behind(std::string_view text, const re2::StringPiece& match) {
  auto end = static_cast<std::size_t>(match.data() - text.data()) + match.size();
  if (!match.empty()) return end;
  do {
    ++end;
  } while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U);
  return end;
}

Result<Value> Regex(const Arguments& arguments) {
  TRY_ASSIGN(auto pattern, Compile(arguments[0].AsString()));
  TRY(CheckGroups(*pattern));
  Groups groups;
  if (!FindFrom(*pattern, arguments[1].AsString(), 0, groups))
    return Refuse("the pattern does not match");
  return MatchValue(*pattern, groups);
}

Result<Value> RegexAll(const Arguments& arguments) {
  TRY_ASSIGN(auto pattern, Compile(arguments[0].AsString()));
  TRY(CheckGroups(*pattern));
  const auto& text = arguments[1].AsString();
  Elements out;
  Groups groups;
  for (std::size_t at = 0; at <= text.size() && FindFrom(*pattern, text, at, groups);
       at = Behind(text, groups.front()))
    out.push_back(MatchValue(*pattern, groups));
  return Value::List(std::move(out));
}

/// The name behind a `$`, as Go reads it: `{name}`, or the longest run of letters, digits and `_`.
std::string_view TakeGroupName(std::string_view& rest) {
  bool braces = rest.starts_with('{');
  auto name = rest.substr(braces ? 1 : 0);
  auto end =
      name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
  name = name.substr(0, end);
  if (name.empty() || (braces && (end == std::string_view::npos || rest[end + 1] != '}')))
    return {};
  rest.remove_prefix(name.size() + (braces ? 2 : 0));
  return name;
}

/// A replacement with `$1`, `$name` and `${name}` of one match.
std::string Expand(const RE2& pattern, const Groups& groups, std::string_view replacement) {
  std::string out;
  for (;;) {
    auto dollar = replacement.find('$');
    out += replacement.substr(0, dollar);
    if (dollar == std::string_view::npos) return out;
    replacement.remove_prefix(dollar + 1);
    if (replacement.starts_with('$')) {
      out += '$';
      replacement.remove_prefix(1);
      continue;
    }
    auto name = TakeGroupName(replacement);
    if (name.empty()) {
      out += '$';
      continue;
    }
    auto number = ParseDecimal(name);
    const auto& names = pattern.NamedCapturingGroups();
    auto named = names.find(std::string(name));
    if (!number && named != names.end()) number = static_cast<std::uint64_t>(named->second);
    if (number && *number < groups.size())
      out += std::string_view(groups[*number].data(), groups[*number].size());
  }
}

Result<Value> RegexReplace(const Arguments& arguments) {
  const auto& text = arguments[0].AsString();
  TRY_ASSIGN(auto pattern, Compile(arguments[1].AsString()));
  std::string out;
  std::size_t copied = 0;
  Groups groups;
  for (std::size_t at = 0; at <= text.size() && FindFrom(*pattern, text, at, groups);) {
    auto begin = static_cast<std::size_t>(groups.front().data() - text.data());
    out += text.substr(copied, begin - copied);
    // An empty match right behind another one is none.
    if (!groups.front().empty() || begin >= at || at == 0)
      out += Expand(*pattern, groups, arguments[2].AsString());
    TRY(CheckSize(out.size()));
    copied = begin + groups.front().size();
    at = Behind(text, groups.front());
  }
  if (copied < text.size()) out += text.substr(copied);
  return Value::String(std::move(out));
}

constexpr Function kPatternFunctions[] = {
    {"regex", "ss", Regex},
    {"regexall", "ss", RegexAll},
    {"regex_replace", "sss", RegexReplace},
};

}  // namespace

std::span<const Function> PatternFunctions() {
  return kPatternFunctions;
}

}  // namespace depot::hcl
