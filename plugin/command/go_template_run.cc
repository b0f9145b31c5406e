#include <algorithm>
#include <map>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "plugin/command/go_template_nodes.h"

namespace depot::command {
namespace {

constexpr std::size_t kMaxTemplateOutput = 64 << 20;
constexpr int kMaxTemplateSteps = 2'000'000;

/// What images and records may leave out; empty then, as in Go.
constexpr std::string_view kMayLack[] = {
    "variant",      "osversion",     "osfeatures",  "annotations",     "urls",
    "artifacttype", "subject",       "data",        "author",          "labels",
    "env",          "entrypoint",    "cmd",         "volumes",         "exposedports",
    "workingdir",   "user",          "stopsignal",  "comment",         "emptylayer",
    "createdby",    "spdx",          "slsa",        "additionalspdxs", "error",
    "created",      "history",       "config",      "mediatype",       "name",
    "context",      "dockerfile",    "target",      "platform",        "vcsrepository",
    "vcsrevision",  "namedcontexts", "completedat", "buildargs",       "materials",
    "attachments",  "errors"};

std::string PlainName(std::string_view name) {
  std::string plain;
  for (const char c : LowerAscii(name))
    if (c != '.' && c != '_' && c != '-') plain += c;
  return plain;
}

/// Line by line: the ends of lines are wanted.
std::string ShownLines(std::string_view text) {
  std::string shown;
  for (std::string_view line : Split(text, '\n'))
    shown += Cat(PrintableOutput(line), '\n');
  shown.pop_back();
  return shown;
}

Result<Json> FieldOf(const Json& value, const std::string& name) {
  if (value.Has(name)) return value[name];
  const std::string plain = PlainName(name);
  const std::vector<std::string> keys = value.Keys();
  for (const std::string& key : keys)
    if (PlainName(key) == plain) return value[key];
  if (std::find(std::begin(kMayLack), std::end(kMayLack), plain) != std::end(kMayLack)) {
    return Json();
  }
  std::vector<std::string> known;
  for (std::size_t i = 0; i < std::min<std::size_t>(keys.size(), 20); ++i)
    known.push_back(Printable(keys[i]));
  Error error(ErrorCode::kUsage, Cat("--format: there is no field .", Printable(name)));
  if (known.empty()) return Fail(std::move(error));
  return Fail(std::move(error).WithHint(Cat("there are: ", Join(known, ", "))));
}

/// Runs a template once.
class TemplateRun {
 public:
  using Node = GoTemplate::Node;

  TemplateRun(const Json& data, const std::function<std::string(const Json&)>& json)
      : data_(data), json_(json) {}

  Result<> Nodes(const std::vector<Node>& nodes, const Json& dot) {
    for (const Node& node : nodes)
      TRY(One(node, dot));
    return {};
  }

  std::string Take() { return std::move(out_); }

 private:
  Result<> Step() {
    if (++steps_ <= kMaxTemplateSteps && out_.size() <= kMaxTemplateOutput) return {};
    return Fail(ErrorCode::kUsage, "--format: the result is too large");
  }

  Result<> One(const Node& node, const Json& dot) {
    TRY(Step());
    if (node.kind == Node::Kind::kText) {
      out_ += node.text;
      return {};
    }
    TRY_ASSIGN(Json value, Pipe(node.pipe, dot));
    if (node.kind == Node::Kind::kRange) return Range(node, value, dot);
    if (node.kind != Node::Kind::kValue) {
      if (!node.pipe.variables.empty()) variables_[node.pipe.variables[0]] = value;
      const Json& inner = node.kind == Node::Kind::kWith ? value : dot;
      return IsTrue(value) ? Nodes(node.body, inner) : Nodes(node.otherwise, dot);
    }
    if (node.pipe.variables.empty()) {
      out_ += ShownLines(TemplateText(value));
    } else {
      variables_[node.pipe.variables[0]] = std::move(value);
    }
    return {};
  }

  Result<> Range(const Node& node, const Json& list, const Json& dot) {
    if (list.size() == 0) return Nodes(node.otherwise, dot);
    const std::vector<std::string> keys = list.Keys();
    for (std::size_t i = 0; i < list.size(); ++i) {
      const Json item = list.is_array() ? list[i] : list[keys[i]];
      const std::vector<std::string>& names = node.pipe.variables;
      if (!names.empty()) variables_[names.back()] = item;
      if (names.size() == 2) {
        variables_[names.front()] =
            list.is_array() ? Json::Number(static_cast<std::int64_t>(i)) : Json::String(keys[i]);
      }
      TRY(Step());
      TRY(Nodes(node.body, item));
    }
    return {};
  }

  Result<Json> Pipe(const TemplatePipe& pipe, const Json& dot) {
    Json value;
    for (std::size_t i = 0; i < pipe.commands.size(); ++i) {
      TRY_ASSIGN(value, Command(pipe.commands[i], dot, i > 0 ? &value : nullptr));
    }
    return value;
  }

  /// `piped` is the last argument.
  Result<Json> Command(const std::vector<TemplateOperand>& words,
                       const Json& dot,
                       const Json* piped) {
    TRY(Step());
    TemplateArguments arguments;
    const bool calls = words[0].kind == TemplateOperand::Kind::kFunction;
    if (!calls && (words.size() > 1 || piped != nullptr)) {
      return Fail(ErrorCode::kUsage, "--format: what is no function takes no argument");
    }
    for (std::size_t i = calls ? 1 : 0; i < words.size(); ++i) {
      TRY_ASSIGN(Json argument, Operand(words[i], dot));
      arguments.push_back(std::move(argument));
    }
    if (!calls) return arguments[0];
    if (piped != nullptr) arguments.push_back(*piped);
    if (words[0].name != "json") return CallTemplateFunction(words[0].name, arguments);
    if (arguments.size() != 1) return Fail(ErrorCode::kUsage, "--format: json takes one argument");
    return Json::String(json_(arguments[0]));
  }

  Result<Json> Operand(const TemplateOperand& operand, const Json& dot) {
    Json value = operand.literal;
    if (operand.kind == TemplateOperand::Kind::kDot) value = dot;
    if (operand.kind == TemplateOperand::Kind::kVariable) {
      auto known = variables_.find(operand.name);
      if (known == variables_.end() && !operand.name.empty()) {
        return Fail(ErrorCode::kUsage,
                    Cat("--format: there is no variable $", Printable(operand.name)));
      }
      value = operand.name.empty() ? data_ : known->second;
    }
    if (operand.kind == TemplateOperand::Kind::kPipe) {
      TRY_ASSIGN(value, Pipe(*operand.pipe, dot));
    }
    if (operand.kind == TemplateOperand::Kind::kFunction) {
      return CallTemplateFunction(operand.name, {});
    }
    for (const std::string& field : operand.fields) {
      TRY_ASSIGN(value, FieldOf(value, field));
    }
    return value;
  }

  const Json& data_;
  const std::function<std::string(const Json&)>& json_;
  std::map<std::string, Json> variables_;
  std::string out_;
  int steps_ = 0;
};

}  // namespace

Result<std::string> GoTemplate::Run(const Json& data,
                                    const std::function<std::string(const Json&)>& json) const {
  TemplateRun run(data, json);
  TRY(run.Nodes(root_->body, data));
  return run.Take();
}

}  // namespace depot::command
