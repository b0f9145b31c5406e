#include "plugin/hcl/parser.h"

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "driver/base/text.h"

namespace depot::hcl {

namespace {

constexpr std::size_t kDeepestTree = 500;

/// An operator of two sides; a higher level binds more.
struct BinaryOperator {
  std::string_view sign;
  Operator operation;
  std::size_t level;
};

constexpr std::array<BinaryOperator, 13> kBinaryOperators = {{
    {"||", Operator::kOr, 1},
    {"&&", Operator::kAnd, 2},
    {"==", Operator::kEqual, 3},
    {"!=", Operator::kUnequal, 3},
    {"<", Operator::kLess, 4},
    {"<=", Operator::kLessEqual, 4},
    {">", Operator::kGreater, 4},
    {">=", Operator::kGreaterEqual, 4},
    {"+", Operator::kPlus, 5},
    {"-", Operator::kMinus, 5},
    {"*", Operator::kTimes, 6},
    {"/", Operator::kOver, 6},
    {"%", Operator::kRemainder, 6},
}};

const BinaryOperator* BinaryOperatorOf(const Token& token) {
  for (const auto& candidate : kBinaryOperators) {
    if (token.Is(candidate.sign)) return &candidate;
  }
  return nullptr;
}

Error TooDeep(const Range& range) {
  return ErrorAt(range, "nested too deep", "give a part of the expression a name of its own");
}

Result<NodePtr> NotTooDeep(NodePtr node) {
  if (node->depth > kDeepestTree) return Fail(TooDeep(node->range));
  return node;
}

NodePtr TextNode(const Range& range, std::string_view text) {
  return MakeNode(range, Literal{Value::String(std::string(text))});
}

}  // namespace

Token Parser::Peek() const {
  if (peeked_at_ != at_ || peeked_skip_ != skip_newlines_) {
    peeked_ = scanner_.At(at_, skip_newlines_);
    peeked_at_ = at_;
    peeked_skip_ = skip_newlines_;
  }
  return peeked_;
}

Token Parser::Take() {
  auto token = Peek();
  at_ = token.end();
  return token;
}

Range Parser::RangeOf(std::size_t begin, std::size_t end) const {
  if (extent_.whole > 0) return {extent_.source, extent_.offset, extent_.offset + extent_.whole};
  return {extent_.source, extent_.offset + begin, extent_.offset + end};
}

Error Parser::Unexpected(const Token& token, std::string_view wanted) const {
  auto range = RangeOf(token);
  switch (token.kind) {
    case Token::Kind::kEnd:
      return ErrorAt(range, Cat(wanted, " expected"), "found the end of the text");
    case Token::Kind::kNewline:
      return ErrorAt(range, Cat(wanted, " expected"), "found the end of the line");
    case Token::Kind::kBad:
      if (token.text == "/*") return ErrorAt(range, "comment without end", "`*/` is missing");
      return ErrorAt(range, "invalid character", Cat("`", token.text, "` has no meaning here"));
    default:
      return ErrorAt(range, Cat(wanted, " expected"), Cat("found `", token.text, "`"));
  }
}

Result<> Parser::Expect(std::string_view sign) {
  auto token = Peek();
  if (!token.Is(sign)) return Fail(Unexpected(token, Cat("`", sign, "`")));
  Take();
  return {};
}

Result<NodePtr> Parser::WholeExpression() {
  Newlines newlines(*this, true);
  TRY_ASSIGN(auto node, Expression());
  auto token = Peek();
  if (token.kind != Token::Kind::kEnd) return Fail(Unexpected(token, "the end of the expression"));
  return node;
}

Result<NodePtr> Parser::Expression() {
  Nesting nesting(*this);
  if (nesting.too_deep()) return Fail(TooDeep(RangeOf(at_, at_)));
  TRY_ASSIGN(auto condition, Binary(1));
  if (!Peek().Is("?")) return condition;
  Take();
  TRY_ASSIGN(auto yes, Expression());
  TRY(Expect(":"));
  TRY_ASSIGN(auto no, Expression());
  auto range = Span(condition->range, no->range);
  return MakeNode(range, ConditionalForm{std::move(condition), std::move(yes), std::move(no)});
}

Result<NodePtr> Parser::Binary(std::size_t level) {
  TRY_ASSIGN(auto left, Unary());
  while (const auto* found = BinaryOperatorOf(Peek())) {
    if (found->level < level) break;
    Take();
    TRY_ASSIGN(auto right, Binary(found->level + 1));
    auto range = Span(left->range, right->range);
    TRY_ASSIGN(left, NotTooDeep(MakeNode(range, OperationForm{found->operation, std::move(left),
                                                              std::move(right)})));
  }
  return left;
}

Result<NodePtr> Parser::Unary() {
  auto token = Peek();
  bool negate = token.Is("-");
  if (!negate && !token.Is("!")) return WithSteps();
  Nesting nesting(*this);
  if (nesting.too_deep()) return Fail(TooDeep(RangeOf(token)));
  Take();
  TRY_ASSIGN(auto operand, Unary());
  auto range = Span(RangeOf(token), operand->range);
  return MakeNode(range, OperationForm{negate ? Operator::kNegate : Operator::kNot, nullptr,
                                       std::move(operand)});
}

Result<NodePtr> Parser::WithSteps() {
  TRY_ASSIGN(auto node, Term());
  return Steps(std::move(node), false);
}

Result<NodePtr> Parser::Term() {
  auto token = Peek();
  switch (token.kind) {
    case Token::Kind::kIdentifier:
      return NameOrCall();
    case Token::Kind::kQuote:
      return Quoted();
    case Token::Kind::kHeredoc:
      return Heredoc();
    case Token::Kind::kNumber: {
      Take();
      auto number = Number::Parse(token.text);
      if (!number) return Fail(ErrorAt(RangeOf(token), "number too large", ""));
      return MakeNode(RangeOf(token), Literal{Value::Of(*std::move(number))});
    }
    default:
      break;
  }
  if (token.Is("(")) return Parenthesis();
  if (token.Is("[")) return Tuple();
  if (token.Is("{")) return Object();
  return Fail(Unexpected(token, "an expression"));
}

Result<NodePtr> Parser::Parenthesis() {
  Take();
  Newlines newlines(*this, true);
  TRY_ASSIGN(auto node, Expression());
  TRY(Expect(")"));
  return node;
}

Result<NodePtr> Parser::NameOrCall() {
  auto name = Take();
  auto range = RangeOf(name);
  if (Peek().Is("(")) return Call(name);
  if (name.text == "null") return MakeNode(range, Literal{Value()});
  if (name.text == "true" || name.text == "false")
    return MakeNode(range, Literal{Value::Bool(name.text == "true")});
  return MakeNode(range, Traversal{std::string(name.text), range, {}});
}

Result<NodePtr> Parser::Call(const Token& name) {
  Take();
  Newlines newlines(*this, true);
  CallForm call{std::string(name.text), RangeOf(name), {}, false};
  while (!Peek().Is(")")) {
    TRY_ASSIGN(auto argument, Expression());
    call.arguments.push_back(std::move(argument));
    if (Peek().Is("...")) {
      Take();
      call.expands = true;
      break;
    }
    if (!Peek().Is(",")) break;
    Take();
  }
  auto end = Peek();
  if (!end.Is(")")) return Fail(Unexpected(end, call.expands ? "`)`" : "`,` or `)`"));
  Take();
  return MakeNode(RangeOf(name.begin, end.end()), std::move(call));
}

Result<NodePtr> Parser::Tuple() {
  auto begin = Take();
  Newlines newlines(*this, true);
  if (Peek().IsWord("for") && PeekAfter(Peek()).kind == Token::Kind::kIdentifier)
    return For(begin.begin, false);
  TupleForm tuple;
  while (!Peek().Is("]")) {
    TRY_ASSIGN(auto item, Expression());
    tuple.items.push_back(std::move(item));
    if (!Peek().Is(",")) break;
    Take();
  }
  auto end = Peek();
  if (!end.Is("]")) return Fail(Unexpected(end, "`,` or `]`"));
  Take();
  return MakeNode(RangeOf(begin.begin, end.end()), std::move(tuple));
}

Result<NodePtr> Parser::Object() {
  auto begin = Take();
  {
    Newlines skip(*this, true);
    if (Peek().IsWord("for") && PeekAfter(Peek()).kind == Token::Kind::kIdentifier)
      return For(begin.begin, true);
  }
  Newlines newlines(*this, false);
  ObjectForm object;
  for (;;) {
    while (Peek().kind == Token::Kind::kNewline)
      Take();
    if (Peek().Is("}")) break;
    TRY_ASSIGN(auto key, ObjectKey());
    auto sign = Peek();
    if (!sign.Is("=") && !sign.Is(":")) return Fail(Unexpected(sign, "`=` or `:`"));
    Take();
    TRY_ASSIGN(auto value, Expression());
    object.items.emplace_back(std::move(key), std::move(value));
    auto next = Peek();
    if (next.Is("}")) break;
    if (!next.Is(",") && next.kind != Token::Kind::kNewline)
      return Fail(Unexpected(next, "`,`, a new line or `}`"));
    Take();
  }
  auto end = Take();
  return MakeNode(RangeOf(begin.begin, end.end()), std::move(object));
}

Result<NodePtr> Parser::ObjectKey() {
  auto token = Peek();
  if (token.kind == Token::Kind::kIdentifier) {
    auto next = PeekAfter(token);
    if (next.Is("=") || next.Is(":")) {
      Take();
      return TextNode(RangeOf(token), token.text);
    }
  }
  TRY_ASSIGN(auto key, Expression());
  const auto* reference = std::get_if<Traversal>(&key->form);
  if (reference != nullptr && !reference->steps.empty() && !token.Is("(") &&
      token.kind != Token::Kind::kQuote)
    return Fail(ErrorAt(key->range, "ambiguous key",
                        Cat("write \"", key->range.text(), "\" for the text, or (",
                            key->range.text(), ") for its value")));
  return key;
}

Result<std::pair<std::string, std::string>> Parser::ForNames() {
  auto first = Peek();
  if (first.kind != Token::Kind::kIdentifier) return Fail(Unexpected(first, "a name"));
  Take();
  std::pair<std::string, std::string> names{"", first.text};
  if (Peek().Is(",")) {
    Take();
    auto second = Peek();
    if (second.kind != Token::Kind::kIdentifier) return Fail(Unexpected(second, "a name"));
    Take();
    names = {std::string(first.text), std::string(second.text)};
  }
  if (!Peek().IsWord("in")) return Fail(Unexpected(Peek(), "`in`"));
  Take();
  return names;
}

Result<NodePtr> Parser::For(std::size_t begin, bool object) {
  Newlines newlines(*this, true);
  Take();
  ForForm loop;
  TRY_ASSIGN(auto names, ForNames());
  std::tie(loop.key_name, loop.value_name) = std::move(names);
  TRY_ASSIGN(loop.source, Expression());
  TRY(Expect(":"));
  TRY_ASSIGN(loop.value, Expression());
  if (object) {
    TRY(Expect("=>"));
    loop.key = std::move(loop.value);
    TRY_ASSIGN(loop.value, Expression());
    if (Peek().Is("...")) {
      Take();
      loop.groups = true;
    }
  }
  if (Peek().IsWord("if")) {
    Take();
    TRY_ASSIGN(loop.condition, Expression());
  }
  auto end = Peek();
  TRY(Expect(object ? "}" : "]"));
  return MakeNode(RangeOf(begin, end.end()), std::move(loop));
}

Result<NodePtr> Parser::Steps(NodePtr node, bool attributes_only) {
  for (;;) {
    auto token = Peek();
    if (token.Is(".")) {
      if (attributes_only && PeekAfter(token).Is("*")) return node;
      TRY_ASSIGN(node, DotStep(std::move(node)));
    } else if (token.Is("[") && !attributes_only) {
      TRY_ASSIGN(node, BracketStep(std::move(node)));
    } else {
      return node;
    }
  }
}

Result<NodePtr> Parser::DotStep(NodePtr node) {
  auto dot = Take();
  auto next = Peek();
  if (next.Is("*")) {
    Take();
    return Splat(std::move(node), dot.begin, true);
  }
  if (next.kind == Token::Kind::kIdentifier) {
    Take();
    return AddStep(node, Value::String(std::string(next.text)), RangeOf(dot.begin, next.end()));
  }
  if (next.kind != Token::Kind::kNumber) return Fail(Unexpected(next, "a name"));
  // `.0.1` are two steps, not a fraction.
  next.text = next.text.substr(0, next.text.find_first_not_of("0123456789"));
  at_ = next.end();
  auto index = Number::Parse(next.text);
  if (!index) return Fail(ErrorAt(RangeOf(next), "number too large", ""));
  return AddStep(node, Value::Of(*std::move(index)), RangeOf(dot.begin, next.end()));
}

Result<NodePtr> Parser::BracketStep(NodePtr node) {
  auto bracket = Take();
  NodePtr key;
  Token end;
  {
    Newlines newlines(*this, true);
    auto star = Peek();
    if (star.Is("*") && PeekAfter(star).Is("]")) {
      Take();
    } else {
      TRY_ASSIGN(key, Expression());
    }
    end = Peek();
    TRY(Expect("]"));
  }
  if (!key) return Splat(std::move(node), bracket.begin, false);
  const auto* constant = std::get_if<Literal>(&key->form);
  if (constant != nullptr &&
      (constant->value.is_string() || constant->value.kind() == Value::Kind::kNumber))
    return AddStep(node, constant->value, RangeOf(bracket.begin, end.end()));
  auto range = Span(node->range, RangeOf(bracket.begin, end.end()));
  return NotTooDeep(MakeNode(range, IndexForm{std::move(node), std::move(key)}));
}

Result<NodePtr> Parser::Splat(NodePtr node, std::size_t begin, bool attributes_only) {
  auto range = RangeOf(begin, at_);
  TRY_ASSIGN(auto each, Steps(MakeNode(range, SplatItem{}), attributes_only));
  auto all = Span(node->range, each->range);
  return NotTooDeep(MakeNode(all, SplatForm{std::move(node), std::move(each)}));
}

Result<NodePtr> Parser::AddStep(const NodePtr& node, Value key, const Range& range) {
  auto all = Span(node->range, range);
  if (const auto* reference = std::get_if<Traversal>(&node->form)) {
    if (reference->steps.size() > kDeepestTree) return Fail(TooDeep(range));
    Traversal longer = *reference;
    longer.steps.push_back({std::move(key), range});
    return MakeNode(all, std::move(longer));
  }
  auto index = MakeNode(range, Literal{std::move(key)});
  return NotTooDeep(MakeNode(all, IndexForm{node, std::move(index)}));
}

}  // namespace depot::hcl
