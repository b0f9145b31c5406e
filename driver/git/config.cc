#include "driver/git/config.h"

#include <algorithm>
#include <cctype>

#include "driver/base/text.h"

namespace depot::git {
namespace {

bool IsNameChar(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-';
}

class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  Result<> Read(const std::function<void(const ConfigVariable&)>& take) {
    if (text_.starts_with("\xef\xbb\xbf")) at_ = 3;
    while (SkipToWord()) {
      if (Peek() == '[') {
        TRY(ReadSection());
        continue;
      }
      TRY(ReadVariable());
      take(variable_);
    }
    return {};
  }

 private:
  bool Ended() const { return at_ == text_.size(); }
  char Peek() const { return Ended() ? '\n' : text_[at_]; }
  char Next() { return Ended() ? '\n' : text_[at_++]; }

  void SkipBlanks() {
    while (!Ended() && (Peek() == ' ' || Peek() == '\t' || Peek() == '\r'))
      ++at_;
  }

  void SkipLine() { at_ = std::min(text_.find('\n', at_), text_.size()); }

  /// False at the end of the text.
  bool SkipToWord() {
    while (!Ended()) {
      SkipBlanks();
      if (Peek() == '#' || Peek() == ';') SkipLine();
      if (Ended() || Peek() != '\n') break;
      ++at_;
    }
    return !Ended();
  }

  Result<> Malformed() const {
    auto line = std::count(text_.begin(), text_.begin() + static_cast<std::ptrdiff_t>(at_), '\n');
    return Fail(ErrorCode::kInvalid, Cat("line ", line + 1, " is malformed"));
  }

  Result<> ReadSection() {
    ++at_;
    std::string name;
    while (IsNameChar(Peek()) || Peek() == '.')
      name += Next();
    name = LowerAscii(name);
    const std::size_t dot = name.find('.');
    variable_.section = name.substr(0, dot);
    variable_.subsection = dot == std::string::npos ? "" : name.substr(dot + 1);
    if (name.empty()) return Malformed();
    SkipBlanks();
    if (Peek() == '"') TRY(ReadSubsection());
    return Next() == ']' ? Result<>() : Malformed();
  }

  Result<> ReadSubsection() {
    ++at_;
    variable_.subsection.clear();
    while (Peek() != '"') {
      char c = Next();
      if (c == '\\') c = Next();
      if (c == '\n') return Malformed();
      variable_.subsection += c;
    }
    ++at_;
    return {};
  }

  Result<> ReadVariable() {
    std::string name;
    while (IsNameChar(Peek()))
      name += Next();
    if (name.empty() || variable_.section.empty()) return Malformed();
    variable_.name = LowerAscii(name);
    variable_.value = "true";
    SkipBlanks();
    if (Peek() == '=') {
      ++at_;
      SkipBlanks();
      return ReadValue();
    }
    if (Peek() == '#' || Peek() == ';') SkipLine();
    return Peek() == '\n' ? Result<>() : Malformed();
  }

  /// Blanks count within quotes, and between words.
  Result<> ReadValue() {
    std::string& value = variable_.value;
    value.clear();
    bool quoted = false;
    std::size_t kept = 0;
    while (Peek() != '\n') {
      const char c = Next();
      if (!quoted && (c == '#' || c == ';')) {
        SkipLine();
        break;
      }
      if (c == '"') {
        quoted = !quoted;
        kept = value.size();
        continue;
      }
      if (c == '\\') {
        TRY(ReadEscape());
        kept = value.size();
        continue;
      }
      value += c;
      const bool blank = c == ' ' || c == '\t' || c == '\r';
      if (quoted || !blank) kept = value.size();
    }
    value.resize(kept);
    return quoted ? Malformed() : Result<>();
  }

  Result<> ReadEscape() {
    if (Ended()) return Malformed();
    constexpr std::string_view kWritten = "nbt\\\"";
    constexpr std::string_view kMeant = "\n\b\t\\\"";
    char c = Next();
    if (c == '\r' && Peek() == '\n') c = Next();
    if (c == '\n') return {};
    const std::size_t found = kWritten.find(c);
    if (found == std::string_view::npos) return Malformed();
    variable_.value += kMeant[found];
    return {};
  }

  std::string_view text_;
  std::size_t at_ = 0;
  ConfigVariable variable_;
};

}  // namespace

Result<> ReadConfig(std::string_view text, const std::function<void(const ConfigVariable&)>& take) {
  return Reader(text).Read(take);
}

}  // namespace depot::git
