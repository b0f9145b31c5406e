#include "plugin/command/go_template.h"

#include <cctype>
#include <utility>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "plugin/command/go_template_nodes.h"

namespace depot::command {
namespace {

constexpr int kMaxTemplateDepth = 50;

struct TemplateToken {
  enum class Kind { kWord, kField, kVariable, kString, kNumber, kMark, kEnd };
  Kind kind = Kind::kEnd;
  std::string text;
  bool glued = false;  ///< no blank in front of it
};

bool IsNamePart(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}

auto BadTemplate(std::string_view why) {
  return Fail(ErrorCode::kUsage, Cat("--format: the template is malformed: ", why));
}

/// Takes an action ("json .Manifest | len") apart.
class TemplateLexer {
 public:
  explicit TemplateLexer(std::string_view text) : rest_(text) {}

  Result<std::vector<TemplateToken>> Run() {
    std::vector<TemplateToken> tokens;
    for (;;) {
      const std::size_t before = rest_.size();
      while (!rest_.empty() && std::isspace(static_cast<unsigned char>(rest_.front())) != 0)
        rest_.remove_prefix(1);
      const bool glued = before == rest_.size() && !tokens.empty();
      if (rest_.empty()) break;
      TRY_ASSIGN(TemplateToken token, Next());
      token.glued = glued;
      tokens.push_back(std::move(token));
    }
    tokens.emplace_back();
    return tokens;
  }

 private:
  using Kind = TemplateToken::Kind;

  std::string TakeName() {
    std::size_t end = 0;
    while (end < rest_.size() && IsNamePart(rest_[end]))
      ++end;
    std::string name(rest_.substr(0, end));
    rest_.remove_prefix(end);
    return name;
  }

  Result<TemplateToken> Next() {
    const char c = rest_.front();
    if (c == '.' || c == '$') {
      rest_.remove_prefix(1);
      return TemplateToken{c == '.' ? Kind::kField : Kind::kVariable, TakeName()};
    }
    if (c == '"' || c == '`') return TakeString(c);
    if (std::isdigit(static_cast<unsigned char>(c)) != 0 || c == '-') {
      rest_.remove_prefix(1);
      return TemplateToken{Kind::kNumber, Cat(c, TakeName())};
    }
    if (IsNamePart(c)) return TemplateToken{Kind::kWord, TakeName()};
    const std::size_t length = rest_.starts_with(":=") ? 2 : 1;
    if (std::string_view("|(),=").find(c) == std::string_view::npos && length == 1) {
      return BadTemplate(Cat("unexpected \"", Printable(rest_.substr(0, 1)), '"'));
    }
    TemplateToken token{Kind::kMark, std::string(rest_.substr(0, length))};
    rest_.remove_prefix(length);
    return token;
  }

  Result<TemplateToken> TakeString(char quote) {
    std::string text;
    for (std::size_t i = 1; i < rest_.size(); ++i) {
      if (rest_[i] == quote) {
        rest_.remove_prefix(i + 1);
        return TemplateToken{Kind::kString, std::move(text)};
      }
      if (quote == '"' && rest_[i] == '\\' && i + 1 < rest_.size()) {
        const char next = rest_[++i];
        text += next == 'n' ? '\n' : next == 't' ? '\t' : next;
      } else {
        text += rest_[i];
      }
    }
    return BadTemplate("a quote is not closed");
  }

  std::string_view rest_;
};

/// Reads the tokens of one action.
class PipeReader {
 public:
  explicit PipeReader(std::vector<TemplateToken> tokens) : tokens_(std::move(tokens)) {}

  const TemplateToken& peek() const { return tokens_[at_]; }
  std::string TakeWord() {
    return peek().kind == Kind::kWord ? tokens_[at_++].text : std::string();
  }
  bool at_end() const { return peek().kind == Kind::kEnd; }

  Result<TemplatePipe> ReadPipe(int depth) {
    if (depth > kMaxTemplateDepth) return BadTemplate("it is nested too deep");
    TemplatePipe pipe;
    ReadVariables(pipe);
    do {
      pipe.commands.emplace_back();
      while (!at_end() && !AtMark("|") && !AtMark(")")) {
        TRY_ASSIGN(TemplateOperand operand, ReadOperand(depth));
        pipe.commands.back().push_back(std::move(operand));
      }
      if (pipe.commands.back().empty()) return BadTemplate("a value is missing");
    } while (TakeMark("|"));
    return pipe;
  }

 private:
  using Kind = TemplateToken::Kind;

  bool AtMark(std::string_view mark) const {
    return peek().kind == Kind::kMark && peek().text == mark;
  }
  bool TakeMark(std::string_view mark) {
    if (!AtMark(mark)) return false;
    ++at_;
    return true;
  }

  /// `$a :=` or `$a, $b :=`; leaves anything else alone.
  void ReadVariables(TemplatePipe& pipe) {
    const std::size_t begin = at_;
    while (peek().kind == Kind::kVariable) {
      pipe.variables.push_back(tokens_[at_++].text);
      if (TakeMark(":=") || TakeMark("=")) return;
      if (!TakeMark(",")) break;
    }
    at_ = begin;
    pipe.variables.clear();
  }

  Result<TemplateOperand> ReadOperand(int depth) {
    TemplateOperand operand;
    const TemplateToken token = tokens_[at_++];
    operand.name = token.text;
    switch (token.kind) {
      case Kind::kField:
        if (!token.text.empty()) operand.fields.push_back(token.text);
        break;
      case Kind::kVariable:
        operand.kind = TemplateOperand::Kind::kVariable;
        break;
      case Kind::kString:
        operand.kind = TemplateOperand::Kind::kLiteral;
        operand.literal = Json::String(token.text);
        break;
      case Kind::kNumber:
      case Kind::kWord:
        TRY(ReadWord(token, operand));
        break;
      default:
        if (token.text != "(") return BadTemplate(Cat("unexpected \"", token.text, '"'));
        TRY_ASSIGN(TemplatePipe inner, ReadPipe(depth + 1));
        if (!TakeMark(")")) return BadTemplate("a bracket is not closed");
        operand.kind = TemplateOperand::Kind::kPipe;
        operand.pipe = std::make_shared<TemplatePipe>(std::move(inner));
    }
    while (peek().kind == Kind::kField && peek().glued && !peek().text.empty())
      operand.fields.push_back(tokens_[at_++].text);
    return operand;
  }

  static Result<> ReadWord(const TemplateToken& token, TemplateOperand& operand) {
    operand.kind = TemplateOperand::Kind::kLiteral;
    if (token.kind == Kind::kNumber) {
      const bool negative = token.text.starts_with('-');
      auto number = ParseDecimal(std::string_view(token.text).substr(negative ? 1 : 0));
      if (!number || *number > 1'000'000'000) {
        return BadTemplate(Cat(Printable(token.text), " is no number"));
      }
      const auto value = static_cast<std::int64_t>(*number);
      operand.literal = Json::Number(negative ? -value : value);
    } else if (token.text == "true" || token.text == "false") {
      operand.literal = Json::Bool(token.text == "true");
    } else if (token.text != "nil") {
      if (token.text != "json" && !IsTemplateFunction(token.text)) {
        return BadTemplate(Cat("there is no function \"", Printable(token.text), '"'));
      }
      operand.kind = TemplateOperand::Kind::kFunction;
    }
    return {};
  }

  std::vector<TemplateToken> tokens_;
  std::size_t at_ = 0;
};

/// Takes a template apart into text and actions, and puts them into a tree.
class TemplateReader {
 public:
  using Node = GoTemplate::Node;

  explicit TemplateReader(std::string_view text) : rest_(text) {}

  /// Up to `end`, `else` or the end of the text; the word that ended it goes to `ending`.
  Result<std::vector<Node>> ReadList(int depth, std::string& ending, PipeReader*& tail) {
    if (depth > kMaxTemplateDepth) return BadTemplate("it is nested too deep");
    std::vector<Node> nodes;
    while (!rest_.empty()) {
      TakeText(nodes);
      if (rest_.empty()) break;
      TRY_ASSIGN(std::string action, TakeAction());
      if (action.starts_with("/*")) continue;
      TRY_ASSIGN(auto tokens, TemplateLexer(action).Run());
      PipeReader reader(std::move(tokens));
      const std::string word = reader.peek().text;
      const bool is_word = reader.peek().kind == TemplateToken::Kind::kWord;
      if (is_word && (word == "end" || word == "else")) {
        ending = reader.TakeWord();
        last_ = std::make_unique<PipeReader>(std::move(reader));
        tail = last_.get();
        return nodes;
      }
      TRY_ASSIGN(Node node, ReadAction(reader, depth));
      nodes.push_back(std::move(node));
    }
    ending.clear();
    return nodes;
  }

 private:
  void TakeText(std::vector<Node>& nodes) {
    const std::size_t open = std::min(rest_.find("{{"), rest_.size());
    std::string_view text = rest_.substr(0, open);
    rest_.remove_prefix(open);
    if (trim_next_) text = text.substr(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
    trim_next_ = false;
    if (rest_.starts_with("{{- ")) text = text.substr(0, text.find_last_not_of(" \t\r\n") + 1);
    if (text.empty()) return;
    Node node;
    node.kind = Node::Kind::kText;
    node.text = text;
    nodes.push_back(std::move(node));
  }

  /// Without braces and trim marks. A brace inside quotes is no end.
  Result<std::string> TakeAction() {
    char quote = 0;
    for (std::size_t i = 2; i + 1 < rest_.size(); ++i) {
      if (quote != 0) {
        if (quote == '"' && rest_[i] == '\\')
          ++i;
        else if (rest_[i] == quote)
          quote = 0;
        continue;
      }
      if (rest_[i] == '"' || rest_[i] == '`') quote = rest_[i];
      if (rest_.substr(i, 2) != "}}") continue;
      std::string_view action = rest_.substr(2, i - 2);
      rest_.remove_prefix(i + 2);
      trim_next_ = action.ends_with(" -");
      if (trim_next_) action.remove_suffix(2);
      if (action.starts_with("- ")) action.remove_prefix(2);
      return std::string(Trim(action));
    }
    return BadTemplate("\"{{\" is not closed");
  }

  Result<Node> ReadAction(PipeReader& reader, int depth) {
    Node node;
    node.kind = Node::Kind::kValue;
    const std::string word = reader.peek().text;
    if (reader.peek().kind == TemplateToken::Kind::kWord) {
      if (word == "if") node.kind = Node::Kind::kIf;
      if (word == "with") node.kind = Node::Kind::kWith;
      if (word == "range") node.kind = Node::Kind::kRange;
      if (node.kind != Node::Kind::kValue) reader.TakeWord();
    }
    TRY_ASSIGN(node.pipe, reader.ReadPipe(0));
    if (!reader.at_end()) return BadTemplate("a bracket too much");
    if (node.kind != Node::Kind::kValue) TRY(ReadBody(node, depth));
    return node;
  }

  Result<> ReadBody(Node& node, int depth) {
    std::string ending;
    PipeReader* tail = nullptr;
    TRY_ASSIGN(node.body, ReadList(depth + 1, ending, tail));
    if (ending == "else" && !tail->at_end()) {
      // `else if X` is an `if` of its own, which has the same end.
      PipeReader reader = std::move(*tail);
      TRY_ASSIGN(Node nested, ReadAction(reader, depth + 1));
      node.otherwise.push_back(std::move(nested));
      return {};
    }
    if (ending == "else") {
      TRY_ASSIGN(node.otherwise, ReadList(depth + 1, ending, tail));
    }
    if (ending != "end") return BadTemplate("an {{end}} is missing");
    return {};
  }

  std::string_view rest_;
  bool trim_next_ = false;
  std::unique_ptr<PipeReader> last_;
};

bool MentionsIn(const TemplatePipe& pipe, std::string_view field) {
  for (const auto& command : pipe.commands) {
    for (const TemplateOperand& operand : command) {
      for (const std::string& name : operand.fields)
        if (name == field) return true;
      if (operand.pipe && MentionsIn(*operand.pipe, field)) return true;
    }
  }
  return false;
}

bool MentionsIn(const std::vector<GoTemplate::Node>& nodes, std::string_view field) {
  for (const GoTemplate::Node& node : nodes) {
    if (MentionsIn(node.pipe, field) || MentionsIn(node.body, field) ||
        MentionsIn(node.otherwise, field)) {
      return true;
    }
  }
  return false;
}

}  // namespace

Result<GoTemplate> GoTemplate::Parse(std::string_view text) {
  TemplateReader reader(text);
  std::string ending;
  PipeReader* tail = nullptr;
  auto root = std::make_shared<Node>();
  TRY_ASSIGN(root->body, reader.ReadList(0, ending, tail));
  if (!ending.empty()) return BadTemplate(Cat("unexpected {{", ending, "}}"));
  return GoTemplate(std::move(root));
}

bool GoTemplate::Mentions(std::string_view field) const {
  return MentionsIn(root_->body, field);
}

}  // namespace depot::command
