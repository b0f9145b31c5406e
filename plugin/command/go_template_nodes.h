#pragma once

#include <memory>
#include <string>
#include <vector>

#include "driver/base/json.h"
#include "plugin/command/go_template.h"

namespace depot::command {

struct TemplatePipe;

/// An operand of a command of a pipeline, with the fields that follow it.
struct TemplateOperand {
  enum class Kind { kDot, kVariable, kLiteral, kFunction, kPipe };
  Kind kind = Kind::kDot;
  std::string name;  ///< of a variable ("" is `$` itself) or function
  Json literal;
  std::shared_ptr<const TemplatePipe> pipe;
  std::vector<std::string> fields;
};

/// `$a, $b := COMMAND | COMMAND`; a command is a function or a value, with its arguments.
struct TemplatePipe {
  std::vector<std::string> variables;
  std::vector<std::vector<TemplateOperand>> commands;
};

/// A piece of a template.
struct GoTemplate::Node {
  enum class Kind { kList, kText, kValue, kIf, kWith, kRange };
  Kind kind = Kind::kList;
  std::string text;
  TemplatePipe pipe;
  std::vector<Node> body;
  std::vector<Node> otherwise;
};

/// What a function of a template makes of its arguments. kUsage when they do not fit.
using TemplateArguments = std::vector<Json>;
Result<Json> CallTemplateFunction(const std::string& name, const TemplateArguments& arguments);

/// Whether there is a function of that name; `json` is not one of them, the caller has it.
bool IsTemplateFunction(std::string_view name);

/// A value as Go prints it.
std::string TemplateText(const Json& value);

/// Go's truth: what is not empty, zero or false.
bool IsTrue(const Json& value);

}  // namespace depot::command
