#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "driver/base/result.h"
#include "plugin/hcl/evaluate.h"
#include "plugin/hcl/node.h"

namespace depot::hcl {

/// What all evaluation in a tree of scopes may use up. What is behind it stays an error, which
/// try() does not catch either.
struct Allowance {
  std::size_t steps = 2'000'000;
  std::size_t bytes = std::size_t{128} << 20U;
  std::size_t depth = 0;
  std::uintptr_t stack_base = 0;    ///< where the outermost evaluation stands
  std::vector<std::string> making;  ///< names on the way, for the message about a cycle

  /// kInvalid when it is used up.
  Result<> Take(std::size_t more_steps, std::size_t more_bytes);
};

/// A function of the user's.
struct UserFunction {
  std::string name;
  std::vector<std::string> parameters;
  std::string rest;  ///< "" = no more arguments than parameters
  Expression result;
  Range where;
  const Scope* home = nullptr;  ///< where it was defined: what its other names mean
  bool active = false;          ///< is being called
};

/// A name of a scope.
struct NameEntry {
  Range where;
  Make make;  ///< empty once `value` is there, and while it is being made
  std::optional<Result<Value>> value;
};

/// See Scope.
struct Scope::State {
  const Scope* outer = nullptr;
  std::map<std::string, NameEntry, std::less<>> names;
  std::map<std::string, Resolver, std::less<>> resolvers;
  std::map<std::string, UserFunction, std::less<>> functions;
  std::shared_ptr<Allowance> allowance;
  std::string home;  ///< "" = not known here
};

/// A name that a `for` or a parameter gives a meaning; the inner ones first.
struct Local {
  const Local* outer;
  const std::string& name;
  const Value& value;
};

/// What names mean at one point of an expression.
struct View {
  const Scope& scope;
  const Local* locals = nullptr;
  const Value* splat_item = nullptr;
};

const Resolver* FindResolver(const Scope& scope, std::string_view root);
UserFunction* FindUserFunction(const Scope& scope, std::string_view name);

/// Every name that may be asked for in `scope`, for "did you mean".
std::vector<std::string_view> NamesIn(const Scope& scope);
std::vector<std::string_view> FunctionNamesIn(const Scope& scope);

Result<Value> EvaluateNode(const Node& node, const View& view);

/// The parts of evaluation that need no names (operate.cc): each error has its place.
Result<Value> Operate(const OperationForm& form,
                      const Value& left,
                      const Value& right,
                      const Range& range);
Result<Value> TakeStep(const Value& object, const Value& key, const Range& range);
Result<bool> Truth(const Value& value, const Range& range);
Result<Value> Choose(const Value& taken, const Value& other, const Range& range);

Result<Type> TypeOfExpression(const Node& node);

/// kInvalid for the first name or function in `node` that is unknown; `locals` are known.
Result<> CheckNames(const Node& node, const Scope& scope, const std::vector<std::string>& locals);

/// The calls in `node`, those in their arguments too.
std::vector<const CallForm*> CollectCalls(const Node& node);

/// "did you mean `x`?" of the candidate that is near, otherwise "".
std::string DidYouMean(std::string_view name, const std::vector<std::string_view>& candidates);

Error UnknownName(const Scope& scope, const Traversal& reference);
Error UnknownFunction(const Scope& scope, const CallForm& call);

}  // namespace depot::hcl
