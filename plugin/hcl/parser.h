#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "driver/base/result.h"
#include "plugin/hcl/node.h"
#include "plugin/hcl/scanner.h"
#include "plugin/hcl/source.h"

namespace depot::hcl {

/// A stretch of text and where it stands in its source. Where escapes have made the text another
/// one than the source's, all places are the whole of it.
struct Extent {
  std::shared_ptr<const Source> source;
  std::string_view text;  ///< must outlive the parser
  std::size_t offset = 0;
  std::size_t whole = 0;  ///< its length in the source if that is another text, otherwise 0
};

/// A part of a template before directives are brought together.
struct TemplatePart {
  enum class Kind { kText, kValue, kIf, kElse, kEndIf, kFor, kEndFor };
  Kind kind = Kind::kText;
  std::string text;  ///< of kText
  NodePtr node;      ///< of kValue the value, of kIf the condition, of kFor the collection
  std::string key_name;
  std::string value_name;
  Range range;
};

/// The parts of a template as they are found, and the text that goes on at their end.
struct TemplateParts {
  std::vector<TemplatePart> list;
  std::string text;
  std::size_t begin = 0;  ///< of `text` in what is parsed
  bool trim = false;      ///< blanks that `text` begins with are left out
};

/// Recursive descent over the native syntax. Nesting is bounded, so that neither parsing nor
/// evaluating nor freeing the tree ends the stack.
class Parser {
 public:
  explicit Parser(Extent extent) : extent_(std::move(extent)), scanner_(extent_.text) {}

  // Bodies (body.cc) drive these.
  Token Peek() const;
  Token PeekAfter(const Token& token) const { return scanner_.At(token.end(), skip_newlines_); }
  Token Take();
  Range RangeOf(const Token& token) const { return RangeOf(token.begin, token.end()); }
  Range RangeOf(std::size_t begin, std::size_t end) const;
  Result<NodePtr> Expression();

  /// A quoted string without templates, from its quote on.
  Result<std::string> PlainString();

  /// The whole text as an expression, or as a template.
  Result<NodePtr> WholeExpression();
  Result<NodePtr> WholeTemplate();

  /// What was found where `wanted` should be.
  Error Unexpected(const Token& token, std::string_view wanted) const;

 private:
  /// Counts how deep the parser is in itself, as long as it lives.
  class Nesting {
   public:
    explicit Nesting(Parser& parser) : parser_(parser) { ++parser_.nesting_; }
    ~Nesting() { --parser_.nesting_; }
    Nesting(const Nesting&) = delete;
    Nesting& operator=(const Nesting&) = delete;
    bool too_deep() const { return parser_.nesting_ > kDeepestNesting; }

   private:
    static constexpr std::size_t kDeepestNesting = 100;
    Parser& parser_;
  };

  /// Whether line ends are skipped, as long as it lives.
  class Newlines {
   public:
    Newlines(Parser& parser, bool skip)
        : parser_(parser), before_(std::exchange(parser.skip_newlines_, skip)) {}
    ~Newlines() { parser_.skip_newlines_ = before_; }
    Newlines(const Newlines&) = delete;
    Newlines& operator=(const Newlines&) = delete;

   private:
    Parser& parser_;
    bool before_;
  };

  Result<NodePtr> Binary(std::size_t level);
  Result<NodePtr> Unary();
  Result<NodePtr> WithSteps();
  Result<NodePtr> Term();
  Result<NodePtr> Parenthesis();
  Result<NodePtr> NameOrCall();
  Result<NodePtr> Call(const Token& name);
  Result<NodePtr> Tuple();
  Result<NodePtr> Object();
  Result<NodePtr> ObjectKey();
  Result<NodePtr> For(std::size_t begin, bool object);
  Result<std::pair<std::string, std::string>> ForNames();
  Result<NodePtr> Steps(NodePtr node, bool attributes_only);
  Result<NodePtr> DotStep(NodePtr node);
  Result<NodePtr> BracketStep(NodePtr node);
  Result<NodePtr> Splat(NodePtr node, std::size_t begin, bool attributes_only);
  Result<NodePtr> AddStep(const NodePtr& node, Value key, const Range& range);

  // Templates (template.cc).
  Result<NodePtr> Quoted();
  Result<NodePtr> Heredoc();
  Result<std::vector<TemplatePart>> QuotedParts();
  Result<std::vector<TemplatePart>> HeredocParts(std::string_view word);
  void EndText(TemplateParts& parts) const;
  Result<> Marker(TemplateParts& parts);
  Result<TemplatePart> Directive();
  Result<> EndMarker(bool& trim_next);
  Result<std::string> Escape();
  Result<NodePtr> Assemble(const std::vector<TemplatePart>& parts, const Range& range);
  Result<NodePtr> AssembleUntil(const std::vector<TemplatePart>& parts,
                                std::size_t& index,
                                const Range& range);
  Result<NodePtr> AssembleIf(const std::vector<TemplatePart>& parts, std::size_t& index);
  Result<NodePtr> AssembleFor(const std::vector<TemplatePart>& parts, std::size_t& index);
  bool AtMarker() const;
  bool TakeEscapedMarker(std::string& text);

  Result<> Expect(std::string_view sign);

  Extent extent_;
  Scanner scanner_;
  std::size_t at_ = 0;
  bool skip_newlines_ = false;
  std::size_t nesting_ = 0;
  mutable Token peeked_;  ///< the rules ask for the same one several times
  mutable std::size_t peeked_at_ = std::string_view::npos;
  mutable bool peeked_skip_ = false;
};

}  // namespace depot::hcl
