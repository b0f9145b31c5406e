#include "plugin/hcl/scope.h"

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "driver/base/text.h"
#include "plugin/hcl/functions.h"

namespace depot::hcl {

namespace {

/// `a`, or in JSON a text.
Result<std::string> NameOf(const Node& node) {
  if (const auto* name = std::get_if<Traversal>(&node.form); name != nullptr && name->steps.empty())
    return name->root;
  if (const auto* text = std::get_if<Literal>(&node.form);
      text != nullptr && text->value.is_string())
    return text->value.AsString();
  return Fail(ErrorAt(node.range, "a name is expected here", ""));
}

/// `params = [a, b]`, or in JSON a list of texts.
Result<std::vector<std::string>> NamesOf(const Expression& expression) {
  const auto* tuple = std::get_if<TupleForm>(&expression.node().form);
  if (tuple == nullptr)
    return Fail(ErrorAt(expression.range(), "a list of names is expected here", ""));
  std::vector<std::string> names;
  for (const auto& item : tuple->items) {
    TRY_ASSIGN(auto name, NameOf(*item));
    names.push_back(std::move(name));
  }
  return names;
}

Error Cycle(const std::vector<std::string>& way, const std::string& name, const Range& where) {
  constexpr std::size_t kShown = 10;
  auto begin = std::find(way.begin(), way.end(), name);
  std::vector<std::string> names(begin, way.end());
  if (names.size() > kShown) names.erase(names.begin() + kShown / 2, names.end() - kShown / 2);
  names.push_back(name);
  return ErrorAt(where, Cat("`", name, "` needs itself"), "cycle: " + Join(names, " -> "));
}

/// Functions that call each other in a circle, found from each in turn.
class FunctionCycles {
 public:
  explicit FunctionCycles(const Scope& scope) : scope_(scope) {}

  Result<> Visit(const UserFunction& function) {
    constexpr std::size_t kLongestWay = 500;
    if (done_.contains(&function)) return {};
    if (std::find(way_.begin(), way_.end(), function.name) != way_.end())
      return Fail(Cycle(way_, function.name, function.where));
    if (way_.size() > kLongestWay)
      return Fail(ErrorAt(function.where, "nested too deep", "functions that call functions"));
    way_.push_back(function.name);
    for (const auto* call : CollectCalls(function.result.node())) {
      const auto* called =
          FindFunction(call->name) != nullptr ? nullptr : FindUserFunction(scope_, call->name);
      if (called != nullptr) TRY(Visit(*called));
    }
    way_.pop_back();
    done_.insert(&function);
    return {};
  }

 private:
  const Scope& scope_;
  std::vector<std::string> way_;
  std::set<const UserFunction*> done_;
};

}  // namespace

Result<> Allowance::Take(std::size_t more_steps, std::size_t more_bytes) {
  bool enough = steps > more_steps && bytes > more_bytes;
  steps = enough ? steps - more_steps : 0;
  bytes = enough ? bytes - more_bytes : 0;
  if (enough) return {};
  return Fail(Error(ErrorCode::kInvalid, "the definition takes too much to evaluate")
                  .WithHint("Its lists or texts multiply each other: make them smaller."));
}

Scope::Scope() : state_(std::make_unique<State>()) {
  state_->allowance = std::make_shared<Allowance>();
}

Scope::Scope(const Scope& outer) : state_(std::make_unique<State>()) {
  state_->outer = &outer;
  state_->allowance = outer.state_->allowance;
}

Scope::~Scope() = default;

void Scope::Set(std::string name, Value value) {
  state_->names.insert_or_assign(std::move(name), NameEntry{{}, nullptr, std::move(value)});
}

void Scope::Define(std::string name, Range where, Make make) {
  state_->names.insert_or_assign(std::move(name),
                                 NameEntry{std::move(where), std::move(make), std::nullopt});
}

void Scope::Resolve(std::string root, Resolver resolver) {
  state_->resolvers.insert_or_assign(std::move(root), std::move(resolver));
}

Result<> Scope::DefineFunction(const Block& block) {
  UserFunction function;
  function.name = block.labels.empty() ? "" : block.labels.front();
  function.where = block.header;
  function.home = this;
  TRY_ASSIGN(auto content, block.body.Read({}));
  const auto* parameters = content.Find("params");
  const auto* result = content.Find("result");
  if (parameters == nullptr || result == nullptr) {
    return Fail(ErrorAt(block.header, Cat("function `", function.name, "` is not whole"),
                        Cat("`", parameters == nullptr ? "params" : "result", "` is missing")));
  }
  TRY_ASSIGN(function.parameters, NamesOf(parameters->value));
  if (const auto* rest = content.Find("variadic_params")) {
    TRY_ASSIGN(function.rest, NameOf(rest->value.node()));
  }
  function.result = result->value;
  auto name = function.name;
  state_->functions.insert_or_assign(std::move(name), std::move(function));
  return {};
}

Result<> Scope::CheckFunctions() const {
  FunctionCycles cycles(*this);
  for (const auto& [name, function] : state_->functions) {
    auto locals = function.parameters;
    if (!function.rest.empty()) locals.push_back(function.rest);
    TRY(CheckNames(function.result.node(), *this, locals));
    TRY(cycles.Visit(function));
  }
  return {};
}

void Scope::SetHome(std::string directory) {
  state_->home = std::move(directory);
}

bool Scope::Has(std::string_view name) const {
  if (state_->names.find(name) != state_->names.end()) return true;
  return state_->outer != nullptr && state_->outer->Has(name);
}

Result<std::optional<Value>> Scope::Get(std::string_view name) const {
  auto found = state_->names.find(name);
  if (found == state_->names.end())
    return state_->outer != nullptr ? state_->outer->Get(name)
                                    : Result<std::optional<Value>>(std::nullopt);
  auto& entry = found->second;
  if (!entry.value) {
    auto& making = state_->allowance->making;
    auto make = std::exchange(entry.make, nullptr);
    if (!make) return Fail(Cycle(making, found->first, entry.where));
    making.push_back(found->first);
    auto made = make();
    making.pop_back();
    entry.value = std::move(made);
  }
  if (!*entry.value) return Fail(entry.value->error());
  return std::optional(**entry.value);
}

const Resolver* FindResolver(const Scope& scope, std::string_view root) {
  auto& state = scope.state();
  auto found = state.resolvers.find(root);
  if (found != state.resolvers.end()) return &found->second;
  return state.outer != nullptr ? FindResolver(*state.outer, root) : nullptr;
}

UserFunction* FindUserFunction(const Scope& scope, std::string_view name) {
  auto& state = scope.state();
  auto found = state.functions.find(name);
  if (found != state.functions.end()) return &found->second;
  return state.outer != nullptr ? FindUserFunction(*state.outer, name) : nullptr;
}

std::vector<std::string_view> NamesIn(const Scope& scope) {
  std::vector<std::string_view> names;
  for (const auto* at = &scope; at != nullptr; at = at->state().outer) {
    for (const auto& [name, entry] : at->state().names)
      names.push_back(name);
    for (const auto& [name, resolver] : at->state().resolvers)
      names.push_back(name);
  }
  return names;
}

std::vector<std::string_view> FunctionNamesIn(const Scope& scope) {
  auto names = FunctionNames();
  for (const auto* at = &scope; at != nullptr; at = at->state().outer) {
    for (const auto& [name, function] : at->state().functions)
      names.push_back(name);
  }
  return names;
}

}  // namespace depot::hcl
