#pragma once

#include <string>
#include <utility>

#include "plugin/hcl/document.h"
#include "plugin/hcl/evaluate.h"
#include "plugin/hcl/value.h"

namespace depot::hcl {

/// What `x = EXPRESSION` of a file gives in `scope`.
inline Result<Value> ValueIn(const std::string& expression, const Scope& scope) {
  TRY_ASSIGN(auto body, Parse("f.hcl", "x = " + expression + "\n", Syntax::kNative));
  TRY_ASSIGN(auto content, body.Read({}));
  return Evaluate(content.attributes.front().value, scope);
}

/// Its JSON, or "error: " and the message without the place.
inline std::string Shown(const Result<Value>& value) {
  auto json = value ? ToJson(*value) : Result<std::string>(Fail(value.error()));
  if (json) return *json;
  auto message = json.error().message();
  auto place = message.find(": ");
  return "error: " + (message.starts_with("f.hcl:") ? message.substr(place + 2) : message);
}

inline std::string Evaluated(const std::string& expression) {
  Scope scope;
  return Shown(ValueIn(expression, scope));
}

}  // namespace depot::hcl
