#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "driver/base/json.h"
#include "driver/base/result.h"

namespace depot::command {

/// A template of --format in the language that Docker's commands have (Go's text/template), over
/// JSON instead of Go's types: fields, variables, pipelines, if, with, range, and the functions
/// and, eq, index, join, json, len, lower, ne, not, or, printf, println, split, title, upper.
/// A field is found by its JSON name or, as Go has it, without regard to case, dots and
/// underscores. What is there but empty, and what an image may leave out, is empty text; any other
/// name is an Error that lists what there is. A value.
class GoTemplate {
 public:
  /// kUsage with the place when `text` is malformed, is nested deeper than 50, or has a function
  /// that we do not know.
  static Result<GoTemplate> Parse(std::string_view text);

  /// Whether a field of this name is used anywhere.
  bool Mentions(std::string_view field) const;

  /// The text for `data`. `json` is the function of that name. What comes out of `data` can do
  /// nothing to a terminal (PrintableOutput()). Errors are kUsage; more than 64 MiB is one.
  Result<std::string> Run(const Json& data,
                          const std::function<std::string(const Json&)>& json) const;

  struct Node;

 private:
  explicit GoTemplate(std::shared_ptr<const Node> root) : root_(std::move(root)) {}

  std::shared_ptr<const Node> root_;
};

}  // namespace depot::command
