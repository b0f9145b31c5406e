#pragma once

#include <cstddef>
#include <string_view>

namespace depot::hcl {

/// One word of the native syntax.
struct Token {
  enum class Kind { kEnd, kNewline, kIdentifier, kNumber, kQuote, kHeredoc, kSign, kBad };
  Kind kind = Kind::kEnd;
  std::string_view text;  ///< of kSign the operator or bracket
  std::size_t begin = 0;  ///< in the scanned text

  bool Is(std::string_view sign) const {
    // Most are not: the first character tells, without a call.
    return kind == Kind::kSign && text.front() == sign.front() && text == sign;
  }
  bool IsWord(std::string_view word) const { return kind == Kind::kIdentifier && text == word; }
  std::size_t end() const { return begin + text.size(); }
};

/// Cuts a text into tokens where the parser is: it has no state but the place, because quotes and
/// braces mean something else inside of templates. Does not own the text.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  /// The token at `at` after blanks and comments, and after line ends too if they are to be
  /// skipped.
  Token At(std::size_t at, bool skip_newlines) const;

  /// The identifier that begins at `at`; "" when there is none.
  std::string_view IdentifierAt(std::size_t at) const;

  std::string_view text() const { return text_; }

 private:
  std::size_t SkipBlanks(std::size_t at, bool skip_newlines) const;
  Token Number(std::size_t at) const;

  std::string_view text_;
};

}  // namespace depot::hcl
