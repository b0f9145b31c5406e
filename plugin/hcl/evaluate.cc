#include "plugin/hcl/evaluate.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "driver/base/text.h"
#include "plugin/hcl/functions.h"
#include "plugin/hcl/scope.h"

namespace depot::hcl {

namespace {

constexpr std::size_t kDeepestEvaluation = 2'000;
constexpr std::size_t kLargestStack = std::size_t{5} << 20U;  // of the usual 8 MiB
constexpr std::size_t kDeepestValue = 200;
constexpr std::size_t kHeaviestValue = 1'000'000;
constexpr std::size_t kBytesOfAnElement = 48;

/// Counts one level of evaluation, as long as it lives.
class Level {
 public:
  explicit Level(Allowance& allowance) : allowance_(allowance) {
    if (allowance_.depth++ == 0) allowance_.stack_base = Here();
  }
  ~Level() { --allowance_.depth; }
  Level(const Level&) = delete;
  Level& operator=(const Level&) = delete;

  bool too_deep() const {
    // The base may lie a little lower: it was taken in a frame of its own.
    const std::uintptr_t here = Here();
    const std::uintptr_t used = here < allowance_.stack_base ? allowance_.stack_base - here : 0;
    return allowance_.depth > kDeepestEvaluation || used > kLargestStack;
  }

 private:
  static std::uintptr_t Here() {
    return reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
  }

  Allowance& allowance_;
};

/// Evaluates the forms of one node.
struct Evaluation {
  const Node& node;
  const View& view;

  Allowance& allowance() const { return *view.scope.state().allowance; }

  Result<Value> operator()(const Literal& form) const { return form.value; }
  Result<Value> operator()(const BadForm& form) const { return Fail(*form.error); }
  Result<Value> operator()(const SplatItem&) const {
    return view.splat_item ? *view.splat_item : Value();
  }
  Result<Value> operator()(const Traversal& form) const;
  Result<Value> operator()(const IndexForm& form) const;
  Result<Value> operator()(const SplatForm& form) const;
  Result<Value> operator()(const CallForm& form) const;
  Result<Value> operator()(const ConditionalForm& form) const;
  Result<Value> operator()(const OperationForm& form) const;
  Result<Value> operator()(const TupleForm& form) const;
  Result<Value> operator()(const ObjectForm& form) const;
  Result<Value> operator()(const ForForm& form) const;
  Result<Value> operator()(const TemplateForm& form) const;
  Result<Value> operator()(const JoinForm& form) const;

 private:
  Result<Value> Resolved(const Traversal& form, const Resolver& resolver) const;
  Result<Value> Rest(Value value, const Traversal& form, std::size_t used) const;
  Result<Value> TryAll(const CallForm& form) const;
  Result<Value> Can(const CallForm& form) const;
  Result<Value> ConvertTo(const CallForm& form) const;
  Result<Value> HomeDirectory(const CallForm& form) const;
  Result<Value> Called(const CallForm& form,
                       UserFunction& function,
                       const Arguments& arguments) const;
  Result<Arguments> ArgumentsOf(const CallForm& form) const;
  Result<> AppendPart(std::string& out, const Value& value, const Range& range) const;
};

Result<Value> Evaluation::operator()(const Traversal& form) const {
  for (const auto* local = view.locals; local != nullptr; local = local->outer) {
    if (local->name == form.root) return Rest(local->value, form, 0);
  }
  if (const auto* resolver = FindResolver(view.scope, form.root)) return Resolved(form, *resolver);
  TRY_ASSIGN(auto value, view.scope.Get(form.root));
  if (!value) return Fail(UnknownName(view.scope, form));
  return Rest(*std::move(value), form, 0);
}

Result<Value> Evaluation::Resolved(const Traversal& form, const Resolver& resolver) const {
  Reference reference{form.root, {}, node.range};
  for (const auto& step : form.steps)
    reference.steps.push_back(step.key);
  auto resolved = resolver(reference);
  if (!resolved)
    return Fail(ErrorAt(node.range, Cat("`", form.root, "` has no such part"), resolved.error()));
  return Rest(std::move(resolved->value), form, resolved->used);
}

Result<Value> Evaluation::Rest(Value value, const Traversal& form, std::size_t used) const {
  for (std::size_t index = used; index < form.steps.size(); ++index) {
    TRY_ASSIGN(value, TakeStep(value, form.steps[index].key, form.steps[index].range));
  }
  return value;
}

Result<Value> Evaluation::operator()(const IndexForm& form) const {
  TRY_ASSIGN(auto object, EvaluateNode(*form.object, view));
  TRY_ASSIGN(auto key, EvaluateNode(*form.key, view));
  return TakeStep(object, key, form.key->range);
}

Result<Value> Evaluation::operator()(const SplatForm& form) const {
  TRY_ASSIGN(auto source, EvaluateNode(*form.source, view));
  if (source.is_null()) return Value::Tuple({});
  Elements items = source.is_sequence() ? source.elements() : Elements{source};
  Elements out;
  for (const auto& item : items) {
    TRY_ASSIGN(auto value, EvaluateNode(*form.each, View{view.scope, view.locals, &item}));
    out.push_back(std::move(value));
  }
  bool list = source.kind() == Value::Kind::kList || source.kind() == Value::Kind::kSet;
  return list ? Value::List(std::move(out)) : Value::Tuple(std::move(out));
}

Result<Value> Evaluation::operator()(const ConditionalForm& form) const {
  TRY_ASSIGN(auto condition, EvaluateNode(*form.condition, view));
  TRY_ASSIGN(bool truth, Truth(condition, form.condition->range));
  const auto& taken = truth ? form.yes : form.no;
  TRY_ASSIGN(auto value, EvaluateNode(*taken, view));
  // The other side may fail; if it does not, its type counts.
  auto other = EvaluateNode(truth ? *form.no : *form.yes, view);
  if (!other) {
    TRY(allowance().Take(1 + node.range.source->text.size() / 1024, 0));
    return value;
  }
  TRY(allowance().Take((value.weight() + other->weight()) / 16, 0));
  return Choose(value, *other, node.range);
}

Result<Value> Evaluation::operator()(const OperationForm& form) const {
  Value left;
  if (form.left) {
    TRY_ASSIGN(left, EvaluateNode(*form.left, view));
  }
  TRY_ASSIGN(auto right, EvaluateNode(*form.right, view));
  TRY(allowance().Take((left.weight() + right.weight()) / 16, 0));
  return Operate(form, left, right, node.range);
}

Result<Value> Evaluation::operator()(const TupleForm& form) const {
  Elements elements;
  elements.reserve(form.items.size());
  for (const auto& item : form.items) {
    TRY_ASSIGN(auto value, EvaluateNode(*item, view));
    elements.push_back(std::move(value));
  }
  return Value::Tuple(std::move(elements));
}

Result<Value> Evaluation::operator()(const ObjectForm& form) const {
  Members members;
  for (const auto& [key_node, value_node] : form.items) {
    TRY_ASSIGN(auto key, EvaluateNode(*key_node, view));
    auto name = TextOf(key);
    if (!name) return Fail(ErrorAt(key_node->range, "a text is needed as key", name.error()));
    TRY_ASSIGN(auto value, EvaluateNode(*value_node, view));
    members.insert_or_assign(*std::move(name), std::move(value));
  }
  return Value::Object(std::move(members));
}

/// One run of a `for` over its source.
class ForRun {
 public:
  ForRun(const ForForm& form, const View& view) : form_(form), view_(view) {}

  Result<Value> Over(const Value& source) {
    if (source.is_null())
      return Fail(ErrorAt(form_.source->range, "a list or a map is needed", "this is null"));
    if (!source.is_sequence() && !source.is_mapping())
      return Fail(ErrorAt(form_.source->range, "a list or a map is needed",
                          Cat("this is a ", TypeName(source))));
    std::int64_t index = 0;
    for (const auto& element : source.elements())
      TRY(Item(source.kind() == Value::Kind::kSet ? element : Value::Integer(index++), element));
    for (const auto& [name, member] : source.members())
      TRY(Item(Value::String(name), member));
    if (!form_.key) return Value::Tuple(std::move(elements_));
    for (auto& [name, group] : groups_)
      members_.emplace(name, Value::Tuple(std::move(group)));
    return Value::Object(std::move(members_));
  }

 private:
  Result<> Item(const Value& key, const Value& value) {
    Local key_local{view_.locals, form_.key_name, key};
    Local value_local{form_.key_name.empty() ? view_.locals : &key_local, form_.value_name, value};
    View inner{view_.scope, &value_local, view_.splat_item};
    if (form_.condition) {
      TRY_ASSIGN(auto condition, EvaluateNode(*form_.condition, inner));
      TRY_ASSIGN(bool truth, Truth(condition, form_.condition->range));
      if (!truth) return {};
    }
    if (!form_.key) {
      TRY_ASSIGN(auto made, EvaluateNode(*form_.value, inner));
      elements_.push_back(std::move(made));
      return {};
    }
    return Member(inner);
  }

  Result<> Member(const View& inner) {
    TRY_ASSIGN(auto key, EvaluateNode(*form_.key, inner));
    auto name = TextOf(key);
    if (!name) return Fail(ErrorAt(form_.key->range, "a text is needed as key", name.error()));
    TRY_ASSIGN(auto made, EvaluateNode(*form_.value, inner));
    if (form_.groups) {
      groups_[*name].push_back(std::move(made));
    } else if (!members_.emplace(*name, std::move(made)).second) {
      return Fail(ErrorAt(form_.key->range, Cat("the key `", *name, "` comes twice"),
                          "`...` after the value makes lists of them"));
    }
    return {};
  }

  const ForForm& form_;
  const View& view_;
  Elements elements_;
  Members members_;
  std::map<std::string, Elements> groups_;
};

Result<Value> Evaluation::operator()(const ForForm& form) const {
  TRY_ASSIGN(auto source, EvaluateNode(*form.source, view));
  return ForRun(form, view).Over(source);
}

Result<> Evaluation::AppendPart(std::string& out, const Value& value, const Range& range) const {
  if (value.is_null())
    return Fail(ErrorAt(range, "null cannot be part of a text",
                        "give it another value, as with coalesce(x, \"\")"));
  auto text = TextOf(value);
  if (!text)
    return Fail(ErrorAt(range, Cat("a ", TypeName(value), " cannot be part of a text"),
                        "jsonencode() or join() make a text of it"));
  TRY(allowance().Take(0, text->size()));
  out += *text;
  return {};
}

Result<Value> Evaluation::operator()(const TemplateForm& form) const {
  std::string out;
  for (const auto& part : form.parts) {
    TRY_ASSIGN(auto value, EvaluateNode(*part, view));
    TRY(AppendPart(out, value, part->range));
  }
  return Value::String(std::move(out));
}

Result<Value> Evaluation::operator()(const JoinForm& form) const {
  TRY_ASSIGN(auto parts, EvaluateNode(*form.parts, view));
  std::string out;
  for (const auto& part : parts.elements())
    TRY(AppendPart(out, part, form.parts->range));
  return Value::String(std::move(out));
}

Result<Arguments> Evaluation::ArgumentsOf(const CallForm& form) const {
  Arguments arguments;
  for (const auto& argument : form.arguments) {
    TRY_ASSIGN(auto value, EvaluateNode(*argument, view));
    arguments.push_back(std::move(value));
  }
  if (form.expands) {
    auto last = std::move(arguments.back());
    arguments.pop_back();
    if (!last.is_sequence())
      return Fail(ErrorAt(form.arguments.back()->range, "`...` needs a list",
                          Cat("this is a ", TypeName(last))));
    arguments.insert(arguments.end(), last.elements().begin(), last.elements().end());
  }
  std::size_t weight = 0;
  for (const auto& argument : arguments)
    weight += argument.weight();
  TRY(allowance().Take(weight / 16, 0));
  return arguments;
}

Result<Value> Evaluation::operator()(const CallForm& form) const {
  if (form.name == "try") return TryAll(form);
  if (form.name == "can") return Can(form);
  if (form.name == "convert") return ConvertTo(form);
  if (form.name == "homedir") return HomeDirectory(form);
  const auto* standard = FindFunction(form.name);
  auto* own = standard != nullptr ? nullptr : FindUserFunction(view.scope, form.name);
  if (standard == nullptr && own == nullptr) return Fail(UnknownFunction(view.scope, form));
  TRY_ASSIGN(auto arguments, ArgumentsOf(form));
  if (own != nullptr) return Called(form, *own, arguments);
  auto value = CallFunction(*standard, std::move(arguments));
  if (!value) return Fail(ErrorAt(node.range, Cat("`", form.name, "` failed"), value.error()));
  return value;
}

Result<Value> Evaluation::TryAll(const CallForm& form) const {
  if (form.arguments.empty())
    return Fail(ErrorAt(node.range, "`try` failed", "it needs at least one argument"));
  std::string why;
  for (const auto& argument : form.arguments) {
    auto value = EvaluateNode(*argument, view);
    if (value) return value;
    why = value.error().message();
    TRY(allowance().Take(1 + node.range.source->text.size() / 1024, why.size()));
  }
  return Fail(ErrorAt(node.range, "`try` failed",
                      "none of its arguments can be evaluated, the last because: " + why));
}

Result<Value> Evaluation::Can(const CallForm& form) const {
  if (form.arguments.size() != 1)
    return Fail(ErrorAt(node.range, "`can` failed", "it takes one argument"));
  auto value = EvaluateNode(*form.arguments.front(), view);
  TRY(allowance().Take(1 + node.range.source->text.size() / 1024, 0));
  return Value::Bool(value.has_value());
}

Result<Value> Evaluation::ConvertTo(const CallForm& form) const {
  if (form.arguments.size() != 2)
    return Fail(ErrorAt(node.range, "`convert` failed", "it takes a value and a type"));
  TRY_ASSIGN(auto value, EvaluateNode(*form.arguments[0], view));
  TRY_ASSIGN(auto type, TypeOfExpression(*form.arguments[1]));
  TRY(allowance().Take(value.weight() / 16, 0));
  auto converted = Convert(value, type);
  if (!converted)
    return Fail(ErrorAt(form.arguments[0]->range, "`convert` failed", converted.error()));
  return converted;
}

Result<Value> Evaluation::HomeDirectory(const CallForm& form) const {
  if (!form.arguments.empty())
    return Fail(ErrorAt(node.range, "`homedir` failed", "it takes no arguments"));
  for (const auto* scope = &view.scope; scope != nullptr; scope = scope->state().outer) {
    if (!scope->state().home.empty()) return Value::String(scope->state().home);
  }
  return Fail(ErrorAt(node.range, "`homedir` failed", "HOME is not set"));
}

Result<Value> Evaluation::Called(const CallForm& form,
                                 UserFunction& function,
                                 const Arguments& arguments) const {
  auto needed = function.parameters.size();
  if (arguments.size() < needed || (arguments.size() > needed && function.rest.empty())) {
    return Fail(ErrorAt(node.range,
                        Cat("`", form.name, "` takes ", function.rest.empty() ? "" : "at least ",
                            needed, needed == 1 ? " argument" : " arguments"),
                        Cat("here are ", arguments.size())));
  }
  for (const auto& argument : arguments) {
    if (argument.is_null())
      return Fail(ErrorAt(node.range, Cat("an argument of `", form.name, "` is null"), ""));
  }
  if (function.active)
    return Fail(ErrorAt(node.range, Cat("`", form.name, "` needs itself"),
                        "cycle: functions cannot call themselves"));
  auto rest = Value::Tuple(
      Elements(arguments.begin() + static_cast<std::ptrdiff_t>(needed), arguments.end()));
  std::vector<Local> locals;
  locals.reserve(needed + 1);
  auto add = [&locals](const std::string& name, const Value& value) {
    locals.push_back(Local{locals.empty() ? nullptr : &locals.back(), name, value});
  };
  if (!function.rest.empty()) add(function.rest, rest);
  for (std::size_t index = 0; index < needed; ++index)
    add(function.parameters[index], arguments[index]);
  function.active = true;
  auto value =
      EvaluateNode(function.result.node(),
                   View{*function.home, locals.empty() ? nullptr : &locals.back(), nullptr});
  function.active = false;
  return value;
}

/// The size of what a node itself has made.
std::size_t MadeBytes(const Node& node, const Value& value) {
  bool made =
      std::holds_alternative<CallForm>(node.form) || std::holds_alternative<TupleForm>(node.form) ||
      std::holds_alternative<ObjectForm>(node.form) || std::holds_alternative<ForForm>(node.form) ||
      std::holds_alternative<SplatForm>(node.form);
  return made ? value.AsString().size() +
                    (value.elements().size() + value.members().size()) * kBytesOfAnElement
              : 0;
}

}  // namespace

Result<Value> EvaluateNode(const Node& node, const View& view) {
  auto& allowance = *view.scope.state().allowance;
  Level level(allowance);
  if (level.too_deep())
    return Fail(ErrorAt(node.range, "nested too deep", "names that need names, too many of them"));
  auto taken = allowance.Take(1, 0);
  if (!taken) return Fail(ErrorAt(node.range, "evaluation stopped", taken.error()));
  auto value = std::visit(Evaluation{node, view}, node.form);
  if (!value) return value;
  if (value->depth() > kDeepestValue)
    return Fail(ErrorAt(node.range, "nested too deep", "lists in lists, too many of them"));
  if (value->weight() > kHeaviestValue)
    return Fail(ErrorAt(node.range, "this value is too large", ""));
  taken = allowance.Take(0, MadeBytes(node, *value));
  if (!taken) return Fail(ErrorAt(node.range, "evaluation stopped", taken.error()));
  return value;
}

Result<Value> Evaluate(const Expression& expression, const Scope& scope) {
  return EvaluateNode(expression.node(), View{scope});
}

Result<Value> EvaluateAs(const Expression& expression, const Type& type, const Scope& scope) {
  TRY_ASSIGN(auto value, Evaluate(expression, scope));
  auto converted = Convert(value, type);
  if (!converted) return Fail(ErrorAt(expression.range(), "unsuitable value", converted.error()));
  return converted;
}

}  // namespace depot::hcl
