#include "plugin/bake/interpolation.h"

#include <cctype>

#include "driver/base/shown.h"
#include "driver/base/text.h"

namespace depot::bake {
namespace {

constexpr int kMostInside = 50;
/// Nested defaults can make a text longer, but not without bound.
constexpr std::size_t kMostText = 4 << 20;

bool BeginsName(char c) {
  return std::isalpha(static_cast<unsigned char>(c)) != 0 || c == '_';
}

std::size_t EndOfName(std::string_view text, std::size_t at) {
  while (at < text.size() &&
         (BeginsName(text[at]) || std::isdigit(static_cast<unsigned char>(text[at])) != 0)) {
    ++at;
  }
  return at;
}

Error BadForm(std::string_view text) {
  return Error(ErrorCode::kInvalid,
               Cat("invalid interpolation format in \"", Printable(text.substr(0, 60)), "\""))
      .WithHint("a dollar sign is written $$");
}

/// Where the brace that is open at `at` closes; npos = nowhere.
std::size_t ClosingBrace(std::string_view text, std::size_t at) {
  int open = 1;
  for (; at < text.size(); ++at) {
    if (text[at] == '$' && at + 1 < text.size() && text[at + 1] == '{') {
      ++open;
      ++at;
    } else if (text[at] == '}' && --open == 0) {
      return at;
    }
  }
  return std::string_view::npos;
}

Result<std::string> Replace(std::string_view text, const Lookup& lookup, int inside);

/// What is in `${...}`.
Result<std::string> Braced(std::string_view body, const Lookup& lookup, int inside) {
  const std::size_t end = EndOfName(body, 0);
  if (end == 0 || !BeginsName(body[0])) return Fail(BadForm(body));
  const std::string name(body.substr(0, end));
  const std::optional<std::string> value = lookup(name);
  std::string_view rest = body.substr(end);
  if (rest.empty()) return value.value_or("");
  const bool or_empty = rest.front() == ':';
  if (or_empty) rest.remove_prefix(1);
  if (rest.empty()) return Fail(BadForm(body));
  const bool there = value && !(or_empty && value->empty());
  const char kind = rest.front();
  rest.remove_prefix(1);
  if (kind == '-') return there ? *value : Replace(rest, lookup, inside + 1);
  if (kind == '+') return there ? Replace(rest, lookup, inside + 1) : std::string();
  if (kind != '?') return Fail(BadForm(body));
  if (there) return *value;
  TRY_ASSIGN(const std::string why, Replace(rest, lookup, inside + 1));
  return Fail(ErrorCode::kInvalid, Cat("required variable ", name, " is missing a value",
                                       why.empty() ? "" : Cat(": ", Printable(why))));
}

Result<std::string> Replace(std::string_view text, const Lookup& lookup, int inside) {
  if (inside > kMostInside) return Fail(BadForm(text));
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] != '$') {
      out += text[at++];
      continue;
    }
    const char next = at + 1 < text.size() ? text[at + 1] : '\0';
    std::string value;
    if (next == '$') {
      value = "$";
      at += 2;
    } else if (next == '{') {
      const std::size_t end = ClosingBrace(text, at + 2);
      if (end == std::string_view::npos) return Fail(BadForm(text));
      TRY_ASSIGN(value, Braced(text.substr(at + 2, end - at - 2), lookup, inside));
      at = end + 1;
    } else if (BeginsName(next)) {
      const std::size_t end = EndOfName(text, at + 1);
      value = lookup(std::string(text.substr(at + 1, end - at - 1))).value_or("");
      at = end;
    } else {
      return Fail(BadForm(text));
    }
    out += value;
    if (out.size() > kMostText) {
      return Fail(ErrorCode::kInvalid, "variables make a text of more than 4 MiB");
    }
  }
  return out;
}

/// Reads KEY=VALUE lines, of which a value in quotes may have several.
class DotenvReader {
 public:
  DotenvReader(std::string_view text, const Lookup& lookup) : text_(text), lookup_(lookup) {}

  Result<Environment> Read() {
    while (at_ < text_.size()) {
      SkipBlanks();
      if (at_ >= text_.size()) break;
      if (text_[at_] == '\n' || text_[at_] == '#') {
        SkipLine();
        continue;
      }
      Result<> read = ReadOne();
      if (!read) return Fail(std::move(read).error().While(Cat("line ", Line())));
    }
    return std::move(values_);
  }

 private:
  std::size_t Line() const {
    std::size_t line = 1;
    for (char c : text_.substr(0, at_))
      line += c == '\n' ? 1 : 0;
    return line;
  }

  void SkipBlanks() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\r'))
      ++at_;
  }

  void SkipLine() {
    at_ = text_.find('\n', at_);
    at_ = at_ == std::string_view::npos ? text_.size() : at_ + 1;
  }

  std::optional<std::string> Find(const std::string& name) const {
    if (std::optional<std::string> said = lookup_(name)) return said;
    auto found = values_.find(name);
    if (found == values_.end()) return std::nullopt;
    return found->second;
  }

  Result<> ReadOne() {
    constexpr std::string_view kExport = "export ";
    if (text_.substr(at_).starts_with(kExport)) at_ += kExport.size();
    SkipBlanks();
    const std::size_t end = text_.find_first_of("=:\n", at_);
    std::string name(Trim(text_.substr(at_, end == std::string_view::npos ? end : end - at_)));
    if (name.empty() || name.find_first_of(" \t\"'") != std::string::npos) {
      return Fail(ErrorCode::kInvalid, Cat("\"", Printable(name), "\" is no name of a variable"));
    }
    if (end == std::string_view::npos || text_[end] == '\n') {
      at_ = end == std::string_view::npos ? text_.size() : end;
      if (auto said = lookup_(name)) values_[name] = *said;
      return {};
    }
    at_ = end + 1;
    SkipBlanks();
    TRY_ASSIGN(values_[name], ReadValue());
    return {};
  }

  Result<std::string> ReadValue() {
    const char quote = at_ < text_.size() ? text_[at_] : '\n';
    if (quote == '\'' || quote == '"') return ReadQuoted(quote);
    const std::size_t end = text_.find('\n', at_);
    std::string_view line = text_.substr(at_, end == std::string_view::npos ? end : end - at_);
    at_ = end == std::string_view::npos ? text_.size() : end;
    if (const std::size_t comment = line.find(" #"); comment != std::string_view::npos) {
      line = line.substr(0, comment);
    }
    return Interpolate(Trim(line), [this](const std::string& name) { return Find(name); });
  }

  Result<std::string> ReadQuoted(char quote) {
    std::string value;
    for (++at_; at_ < text_.size() && text_[at_] != quote; ++at_) {
      if (text_[at_] == '\\' && quote == '"' && at_ + 1 < text_.size()) {
        value += Unescaped(text_[++at_]);
      } else {
        value += text_[at_];
      }
    }
    if (at_ >= text_.size()) return Fail(ErrorCode::kInvalid, "a quote is not closed");
    ++at_;
    SkipLine();
    if (quote == '\'') return value;
    return Interpolate(value, [this](const std::string& name) { return Find(name); });
  }

  static std::string Unescaped(char c) {
    switch (c) {
      case 'n':
        return "\n";
      case 'r':
        return "\r";
      case 't':
        return "\t";
      case '"':
      case '\\':
        return std::string(1, c);
      case '$':
        return "$$";
      default:
        return std::string("\\") + c;
    }
  }

  std::string_view text_;
  const Lookup& lookup_;
  std::size_t at_ = 0;
  Environment values_;
};

}  // namespace

Result<std::string> Interpolate(std::string_view text, const Lookup& lookup) {
  return Replace(text, lookup, 0);
}

Result<Environment> ParseDotenv(std::string_view text, const Lookup& lookup) {
  return DotenvReader(text, lookup).Read();
}

}  // namespace depot::bake
