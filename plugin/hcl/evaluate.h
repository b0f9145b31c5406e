#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "driver/base/result.h"
#include "plugin/hcl/document.h"
#include "plugin/hcl/value.h"

namespace depot::hcl {

/// `root.step.step[0]`, as far as its steps are constants.
struct Reference {
  std::string root;
  std::vector<Value> steps;  ///< names and string indexes are strings, others numbers
  Range range;
};

/// What a resolver found.
struct Resolved {
  Value value;
  std::size_t used = 0;  ///< how many of the steps `value` answers; the evaluator takes the rest
};

/// Answers references to names that are computed on demand, such as `target`: gives the value of as
/// few steps as it can. Its errors need no place.
using Resolver = std::function<Result<Resolved>(const Reference& reference)>;

/// Makes the value of a name when it is first asked for. Called at most once for each name.
using Make = std::function<Result<Value>()>;

/// What names mean: variables, functions and resolvers, over those of an outer scope. Values are
/// made on demand and kept; a name that needs itself is an error that shows the cycle. One scope
/// and all over it belong to one thread; everything that is evaluated in them shares one allowance
/// of steps, memory and depth, behind which evaluation is an error.
class Scope {
 public:
  Scope();
  /// Sees all of `outer`, which must outlive it, and hides what it defines itself.
  explicit Scope(const Scope& outer);
  ~Scope();
  Scope& operator=(const Scope&) = delete;

  void Set(std::string name, Value value);

  /// A later definition of a name replaces the earlier one. A name with a dot cannot be written in
  /// an expression: a resolver may keep what it makes under such names, to have cycles found.
  /// `where` is what an error about a cycle points at.
  void Define(std::string name, Range where, Make make);

  /// `root` is a name of which references are answered by `resolver`; alone it is no value.
  void Resolve(std::string root, Resolver resolver);

  /// A `function` block: `params` and `result`, maybe `variadic_params`. Its expressions are seen
  /// in this scope. A later one of the same name replaces the earlier one; one that is called like
  /// a standard function is never called.
  Result<> DefineFunction(const Block& block);

  /// Unknown names in the functions defined here, and functions that need themselves: kInvalid.
  Result<> CheckFunctions() const;

  /// What homedir() gives, in this scope and all over it; without it that is an error.
  void SetHome(std::string directory);

  bool Has(std::string_view name) const;

  /// The value of a name set or defined here or outside; nullopt when there is none.
  Result<std::optional<Value>> Get(std::string_view name) const;

  struct State;  ///< for the evaluator
  State& state() const { return *state_; }

 private:
  std::unique_ptr<State> state_;
};

/// Errors point at the part of the expression that failed.
Result<Value> Evaluate(const Expression& expression, const Scope& scope);

/// Evaluates and converts; an error of the conversion points at the expression: "unsuitable value".
Result<Value> EvaluateAs(const Expression& expression, const Type& type, const Scope& scope);

/// `string`, `list(string)`, `object({a = optional(number)})`...: a type written as an expression,
/// or, in JSON, as a string.
Result<Type> ParseType(const Expression& expression);

}  // namespace depot::hcl
