#include "plugin/hcl/body.h"

#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "driver/base/text.h"
#include "plugin/hcl/parser.h"

namespace depot::hcl {

namespace {

constexpr std::size_t kDeepestBlocks = 50;

/// The bodies of the native syntax; expressions are the parser's.
class BodyParser {
 public:
  explicit BodyParser(Parser& parser) : parser_(parser) {}

  /// Up to the end of the text, or to the `}` of the block, which it takes.
  Result<Body> Lines(bool is_file, std::size_t depth) {
    auto syntax = std::make_shared<BodySyntax>();
    std::set<std::string, std::less<>> names;
    for (;;) {
      auto token = parser_.Peek();
      if (token.kind == Token::Kind::kNewline) {
        parser_.Take();
        continue;
      }
      if (token.kind == Token::Kind::kEnd && is_file) break;
      if (token.Is("}") && !is_file) {
        parser_.Take();
        break;
      }
      TRY(Item(*syntax, names, depth));
      TRY(LineEnd());
    }
    return Body(std::move(syntax));
  }

 private:
  Result<> LineEnd() {
    auto token = parser_.Peek();
    if (token.kind == Token::Kind::kNewline || token.kind == Token::Kind::kEnd) return {};
    return Fail(parser_.Unexpected(token, "a new line"));
  }

  Result<> Item(BodySyntax& body, std::set<std::string, std::less<>>& names, std::size_t depth) {
    auto name = parser_.Peek();
    if (name.kind == Token::Kind::kQuote)
      return Fail(ErrorAt(parser_.RangeOf(name), "a name is expected here",
                          "names of attributes and types of blocks stand without quotes"));
    if (name.kind != Token::Kind::kIdentifier)
      return Fail(parser_.Unexpected(name, "an attribute or a block"));
    parser_.Take();
    if (parser_.Peek().Is("=")) return AddAttribute(body, name, names);
    TRY_ASSIGN(auto block, BlockAt(name, depth));
    body.blocks.push_back(std::move(block));
    return {};
  }

  Result<> AddAttribute(BodySyntax& body,
                        const Token& name,
                        std::set<std::string, std::less<>>& names) {
    parser_.Take();
    auto range = parser_.RangeOf(name);
    if (!names.emplace(name.text).second)
      return Fail(ErrorAt(range, Cat("`", name.text, "` is set twice"), "keep one of them"));
    TRY_ASSIGN(auto value, parser_.Expression());
    body.attributes.push_back({std::string(name.text), range, Expression(std::move(value))});
    return {};
  }

  Result<Block> BlockAt(const Token& type, std::size_t depth) {
    Block block;
    block.type = type.text;
    block.header = parser_.RangeOf(type);
    if (depth > kDeepestBlocks)
      return Fail(ErrorAt(block.header, "nested too deep", "blocks in blocks"));
    for (;;) {
      auto token = parser_.Peek();
      if (token.Is("{")) break;
      std::string label(token.text);
      auto range = parser_.RangeOf(token);
      if (token.kind == Token::Kind::kQuote) {
        TRY_ASSIGN(label, parser_.PlainString());
      } else if (token.kind == Token::Kind::kIdentifier) {
        parser_.Take();
      } else {
        return Fail(parser_.Unexpected(
            token, block.labels.empty() ? "`=`, `{` or a name in quotes" : "`{`"));
      }
      block.labels.push_back(std::move(label));
      block.label_ranges.push_back(range);
      block.header = Span(block.header, range);
    }
    parser_.Take();
    auto inside = parser_.Peek();
    if (inside.kind == Token::Kind::kNewline || inside.Is("}")) {
      TRY_ASSIGN(block.body, Lines(false, depth + 1));
    } else {
      TRY_ASSIGN(block.body, OneLine());
    }
    return block;
  }

  Result<Body> OneLine() {
    auto syntax = std::make_shared<BodySyntax>();
    auto name = parser_.Peek();
    if (name.kind != Token::Kind::kIdentifier || !parser_.PeekAfter(name).Is("="))
      return Fail(parser_.Unexpected(name, "a new line or one attribute"));
    parser_.Take();
    std::set<std::string, std::less<>> names;
    TRY(AddAttribute(*syntax, name, names));
    auto end = parser_.Peek();
    if (!end.Is("}"))
      return Fail(ErrorAt(parser_.RangeOf(end), "`}` expected",
                          "a block on one line holds one attribute; write each on its own line"));
    parser_.Take();
    return Body(std::move(syntax));
  }

  Parser& parser_;
};

}  // namespace

Result<Body> ParseNative(const std::shared_ptr<const Source>& source) {
  Parser parser({source, source->text, 0, 0});
  return BodyParser(parser).Lines(true, 0);
}

Result<NodePtr> ParseEmbedded(std::string_view text, const Range& range) {
  return Parser({range.source, text, range.begin, range.end - range.begin}).WholeExpression();
}

}  // namespace depot::hcl
