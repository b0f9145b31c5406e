#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <unictype.h>
#include <unistr.h>

#include "driver/base/text.h"
#include "plugin/hcl/parser.h"

namespace depot::hcl {

namespace {

using Kind = TemplatePart::Kind;

/// The bytes of white space, Unicode's too, at the begin of a text.
std::size_t BlankPrefix(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    ucs4_t letter = 0;
    int length = u8_mbtouc(&letter, reinterpret_cast<const std::uint8_t*>(text.data() + at),
                           text.size() - at);
    if (!uc_is_property_white_space(letter)) break;
    at += static_cast<std::size_t>(length);
  }
  return at;
}

void TrimRight(std::string& text) {
  for (auto end = text.size(); end > 0; text.resize(end)) {
    auto start = end - 1;
    while (start > 0 && (static_cast<unsigned char>(text[start]) & 0xC0U) == 0x80U)
      --start;
    if (BlankPrefix(std::string_view(text).substr(start)) == 0) return;
    end = start;
  }
}

/// The indent of a piece that begins a line; nullopt for a line of blanks alone.
std::optional<std::size_t> IndentOf(const TemplatePart& part) {
  if (part.kind != Kind::kText) return 0;
  auto blanks = BlankPrefix(part.text);
  if (blanks == part.text.size() && part.text.ends_with('\n')) return std::nullopt;
  return blanks;
}

/// `<<-`: takes the smallest indent from every line.
void RemoveIndent(std::vector<TemplatePart>& parts) {
  std::size_t smallest = std::numeric_limits<std::size_t>::max();
  std::vector<TemplatePart*> begins;
  bool line_begins = true;
  for (auto& part : parts) {
    if (std::exchange(line_begins, part.kind == Kind::kText && part.text.ends_with('\n'))) {
      auto indent = IndentOf(part);
      if (!indent) continue;
      smallest = std::min(smallest, *indent);
      if (part.kind == Kind::kText) begins.push_back(&part);
    }
  }
  for (auto* part : begins)
    part->text.erase(0, smallest);
}

}  // namespace

bool Parser::AtMarker() const {
  auto rest = scanner_.text().substr(at_);
  return rest.starts_with("${") || rest.starts_with("%{");
}

bool Parser::TakeEscapedMarker(std::string& text) {
  auto rest = scanner_.text().substr(at_);
  if (!rest.starts_with("$${") && !rest.starts_with("%%{")) return false;
  text += rest.substr(1, 2);
  at_ += 3;
  return true;
}

Result<std::string> Parser::Escape() {
  auto begin = at_;
  auto rest = scanner_.text().substr(at_ + 1);
  char letter = rest.empty() ? '\0' : rest.front();
  at_ += 2;
  switch (letter) {
    case 'n':
      return std::string("\n");
    case 'r':
      return std::string("\r");
    case 't':
      return std::string("\t");
    case '"':
      return std::string("\"");
    case '\\':
      return std::string("\\");
    default:
      break;
  }
  std::size_t digits = letter == 'u' ? 4 : letter == 'U' ? 8 : 0;
  auto text = rest.substr(std::min<std::size_t>(1, rest.size()), digits);
  std::uint32_t point = 0;
  auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), point, 16);
  if (digits == 0 || text.size() != digits || error != std::errc() ||
      stop != text.data() + text.size())
    return Fail(ErrorAt(RangeOf(begin, std::min(begin + 2 + digits, scanner_.text().size())),
                        "invalid escape",
                        R"(known are \n \r \t \" \\ \uXXXX \UXXXXXXXX; a backslash is \\)"));
  at_ += digits;
  std::uint8_t bytes[6];
  int length = u8_uctomb(bytes, point, sizeof bytes);
  if (length <= 0) return std::string("\uFFFD");
  return std::string(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(length));
}

void Parser::EndText(TemplateParts& parts) const {
  auto text = std::exchange(parts.text, "");
  if (std::exchange(parts.trim, false)) text.erase(0, BlankPrefix(text));
  if (text.empty()) return;
  parts.list.push_back({Kind::kText, std::move(text), nullptr, "", "", RangeOf(parts.begin, at_)});
}

Result<std::vector<TemplatePart>> Parser::QuotedParts() {
  auto open = at_ - 1;
  TemplateParts parts;
  parts.begin = at_;
  for (;;) {
    auto rest = scanner_.text().substr(at_);
    if (rest.empty() || rest.front() == '\n')
      return Fail(ErrorAt(RangeOf(open, at_), "text without end",
                          "a closing `\"` is missing on this line"));
    if (rest.front() == '"') break;
    if (rest.front() == '\\') {
      TRY_ASSIGN(auto escaped, Escape());
      parts.text += escaped;
    } else if (TakeEscapedMarker(parts.text)) {
      continue;
    } else if (AtMarker()) {
      TRY(Marker(parts));
    } else {
      parts.text += rest.front();
      ++at_;
    }
  }
  EndText(parts);
  ++at_;
  return std::move(parts.list);
}

Result<std::vector<TemplatePart>> Parser::HeredocParts(std::string_view word) {
  auto open = at_;
  TemplateParts parts;
  bool line_begins = true;
  for (;;) {
    auto rest = scanner_.text().substr(at_);
    if (rest.empty())
      return Fail(
          ErrorAt(RangeOf(open, open), "text without end", Cat("a line `", word, "` is missing")));
    if (std::exchange(line_begins, false)) {
      parts.begin = at_;
      auto line = rest.substr(0, rest.find('\n'));
      if (Trim(line) == word) {
        // The line end stays: it ends the attribute.
        at_ += line.size() - (line.ends_with('\r') ? 1 : 0);
        return std::move(parts.list);
      }
    }
    if (TakeEscapedMarker(parts.text)) continue;
    if (AtMarker()) {
      TRY(Marker(parts));
      continue;
    }
    parts.text += rest.front();
    ++at_;
    if (rest.front() == '\n') {
      EndText(parts);
      line_begins = true;
    }
  }
}

Result<> Parser::EndMarker(bool& trim_next) {
  auto end = Peek();
  if (!end.Is("}") && !end.Is("~}")) return Fail(Unexpected(end, "`}`"));
  Take();
  trim_next = end.text.size() == 2;
  return {};
}

Result<> Parser::Marker(TemplateParts& parts) {
  EndText(parts);
  auto begin = at_;
  bool directive = scanner_.text()[at_] == '%';
  at_ += 2;
  if (scanner_.text().substr(at_).starts_with('~')) {
    ++at_;
    if (!parts.list.empty() && parts.list.back().kind == Kind::kText)
      TrimRight(parts.list.back().text);
  }
  Newlines newlines(*this, true);
  TemplatePart part;
  if (directive) {
    TRY_ASSIGN(part, Directive());
  } else {
    part.kind = Kind::kValue;
    TRY_ASSIGN(part.node, Expression());
  }
  TRY(EndMarker(parts.trim));
  part.range = RangeOf(begin, at_);
  parts.list.push_back(std::move(part));
  parts.begin = at_;
  return {};
}

Result<TemplatePart> Parser::Directive() {
  TemplatePart part;
  auto word = Take();
  if (word.IsWord("else")) {
    part.kind = Kind::kElse;
  } else if (word.IsWord("endif")) {
    part.kind = Kind::kEndIf;
  } else if (word.IsWord("endfor")) {
    part.kind = Kind::kEndFor;
  } else if (word.IsWord("if")) {
    part.kind = Kind::kIf;
    TRY_ASSIGN(part.node, Expression());
  } else if (word.IsWord("for")) {
    part.kind = Kind::kFor;
    TRY_ASSIGN(auto names, ForNames());
    std::tie(part.key_name, part.value_name) = std::move(names);
    TRY_ASSIGN(part.node, Expression());
  } else {
    return Fail(Unexpected(word, "`if`, `else`, `endif`, `for` or `endfor`"));
  }
  return part;
}

Result<std::string> Parser::PlainString() {
  auto quote = Take();
  TRY_ASSIGN(auto parts, QuotedParts());
  if (parts.empty()) return std::string();
  if (parts.size() > 1 || parts.front().kind != Kind::kText)
    return Fail(ErrorAt(RangeOf(quote.begin, at_), "a plain text is needed here",
                        "names of blocks cannot be computed"));
  return parts.front().text;
}

Result<NodePtr> Parser::Quoted() {
  auto quote = Take();
  TRY_ASSIGN(auto parts, QuotedParts());
  return Assemble(parts, RangeOf(quote.begin, at_));
}

Result<NodePtr> Parser::Heredoc() {
  auto open = Take();
  bool indented = open.text.substr(2).starts_with('-');
  auto word = open.text.substr(indented ? 3 : 2);
  auto line_end = scanner_.At(at_, false);
  if (line_end.kind != Token::Kind::kNewline || line_end.begin != at_) {
    return Fail(ErrorAt(RangeOf(open), "a new line must follow",
                        Cat("the text begins on the line after `", open.text, "`")));
  }
  at_ = line_end.end();
  TRY_ASSIGN(auto parts, HeredocParts(word));
  if (indented) RemoveIndent(parts);
  return Assemble(parts, RangeOf(open.begin, at_));
}

Result<NodePtr> Parser::WholeTemplate() {
  TemplateParts parts;
  parts.begin = at_;
  while (at_ < scanner_.text().size()) {
    if (TakeEscapedMarker(parts.text)) continue;
    if (AtMarker()) {
      TRY(Marker(parts));
    } else {
      parts.text += scanner_.text()[at_++];
    }
  }
  EndText(parts);
  return Assemble(parts.list, RangeOf(0, scanner_.text().size()));
}

Result<NodePtr> Parser::Assemble(const std::vector<TemplatePart>& parts, const Range& range) {
  if (parts.size() == 1 && parts.front().kind == Kind::kValue) return parts.front().node;
  std::size_t index = 0;
  TRY_ASSIGN(auto node, AssembleUntil(parts, index, range));
  if (index < parts.size())
    return Fail(ErrorAt(parts[index].range, "directive without begin",
                        "there is no `%{ if` or `%{ for` that it belongs to"));
  return node;
}

Result<NodePtr> Parser::AssembleUntil(const std::vector<TemplatePart>& parts,
                                      std::size_t& index,
                                      const Range& range) {
  Nesting nesting(*this);
  if (nesting.too_deep())
    return Fail(
        ErrorAt(range, "nested too deep", "the template has too many directives in each other"));
  TemplateForm out;
  std::string literal;
  for (; index < parts.size(); ++index) {
    const auto& part = parts[index];
    if (part.kind == Kind::kText) {
      literal += part.text;
      continue;
    }
    if (part.kind == Kind::kElse || part.kind == Kind::kEndIf || part.kind == Kind::kEndFor) break;
    if (!literal.empty())
      out.parts.push_back(MakeNode(range, Literal{Value::String(std::exchange(literal, ""))}));
    NodePtr node = part.node;
    if (part.kind == Kind::kIf) {
      TRY_ASSIGN(node, AssembleIf(parts, index));
    } else if (part.kind == Kind::kFor) {
      TRY_ASSIGN(node, AssembleFor(parts, index));
    }
    out.parts.push_back(std::move(node));
  }
  if (out.parts.empty()) return MakeNode(range, Literal{Value::String(std::move(literal))});
  if (!literal.empty())
    out.parts.push_back(MakeNode(range, Literal{Value::String(std::move(literal))}));
  return MakeNode(range, std::move(out));
}

Result<NodePtr> Parser::AssembleIf(const std::vector<TemplatePart>& parts, std::size_t& index) {
  const auto& begin = parts[index++];
  TRY_ASSIGN(auto yes, AssembleUntil(parts, index, begin.range));
  NodePtr no = MakeNode(begin.range, Literal{Value::String("")});
  if (index < parts.size() && parts[index].kind == Kind::kElse) {
    ++index;
    TRY_ASSIGN(no, AssembleUntil(parts, index, begin.range));
  }
  if (index >= parts.size() || parts[index].kind != Kind::kEndIf)
    return Fail(ErrorAt(begin.range, "directive without end", "`%{ endif }` is missing"));
  return MakeNode(begin.range, ConditionalForm{begin.node, std::move(yes), std::move(no)});
}

Result<NodePtr> Parser::AssembleFor(const std::vector<TemplatePart>& parts, std::size_t& index) {
  const auto& begin = parts[index++];
  TRY_ASSIGN(auto each, AssembleUntil(parts, index, begin.range));
  if (index >= parts.size() || parts[index].kind != Kind::kEndFor)
    return Fail(ErrorAt(begin.range, "directive without end", "`%{ endfor }` is missing"));
  ForForm loop{begin.key_name,  begin.value_name, begin.node, nullptr,
               std::move(each), nullptr,          false};
  return MakeNode(begin.range, JoinForm{MakeNode(begin.range, std::move(loop))});
}

}  // namespace depot::hcl
