#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "driver/base/text.h"
#include "plugin/hcl/body.h"
#include "plugin/hcl/functions.h"
#include "plugin/hcl/scope.h"

namespace depot::hcl {

namespace {

/// Walks an expression with the names that its own `for` parts give.
class NameWalk {
 public:
  explicit NameWalk(std::vector<std::string> locals) : locals_(std::move(locals)) {}

  void Walk(const Node& node) {
    if (const auto* reference = std::get_if<Traversal>(&node.form)) {
      if (std::find(locals_.begin(), locals_.end(), reference->root) == locals_.end())
        references.push_back(&node);
      return;
    }
    if (const auto* call = std::get_if<CallForm>(&node.form)) {
      calls.push_back(call);
      // The second argument of convert() is a type, whose words are no names.
      if (call->name == "convert" && call->arguments.size() == 2)
        return Walk(*call->arguments.front());
    }
    const auto* loop = std::get_if<ForForm>(&node.form);
    if (loop == nullptr) {
      for (const auto& part : PartsOf(node))
        Walk(*part);
      return;
    }
    Walk(*loop->source);
    auto before = locals_.size();
    locals_.push_back(loop->key_name);
    locals_.push_back(loop->value_name);
    for (const auto& part : {loop->key, loop->value, loop->condition}) {
      if (part) Walk(*part);
    }
    locals_.resize(before);
  }

  std::vector<const Node*> references;
  std::vector<const CallForm*> calls;

 private:
  std::vector<std::string> locals_;
};

bool IsSpecial(std::string_view name) {
  return std::find(kSpecialFunctions.begin(), kSpecialFunctions.end(), name) !=
         kSpecialFunctions.end();
}

Result<Type> ObjectType(const Node& node);

Result<Type> TypeFromName(const Traversal& name, const Range& range) {
  if (name.steps.empty()) {
    if (name.root == "string") return Type::Of(Type::Kind::kString);
    if (name.root == "number") return Type::Of(Type::Kind::kNumber);
    if (name.root == "bool") return Type::Of(Type::Kind::kBool);
    if (name.root == "any") return Type::Of(Type::Kind::kAny);
  }
  auto near = DidYouMean(
      name.root, {"string", "number", "bool", "any", "list", "set", "map", "object", "tuple"});
  return Fail(ErrorAt(range, Cat("`", name.root, "` is no type"), near));
}

Result<Type> TypeFromCall(const CallForm& call, const Range& range) {
  constexpr std::pair<std::string_view, Type::Kind> kCollections[] = {
      {"list", Type::Kind::kList}, {"set", Type::Kind::kSet}, {"map", Type::Kind::kMap}};
  if (call.arguments.size() != 1)
    return Fail(ErrorAt(range, "a type takes one argument", Cat(call.name, "(...)")));
  const auto& argument = *call.arguments.front();
  for (const auto& [name, kind] : kCollections) {
    if (call.name != name) continue;
    TRY_ASSIGN(auto element, TypeOfExpression(argument));
    return Type::Of(kind, std::move(element));
  }
  if (call.name == "object") return ObjectType(argument);
  const auto* items = std::get_if<TupleForm>(&argument.form);
  if (call.name != "tuple") return Fail(ErrorAt(range, Cat("`", call.name, "` is no type"), ""));
  if (items == nullptr)
    return Fail(ErrorAt(range, "tuple() takes a list of types", "tuple([string, number])"));
  Type tuple = Type::Of(Type::Kind::kTuple);
  for (const auto& item : items->items) {
    TRY_ASSIGN(auto element, TypeOfExpression(*item));
    tuple.elements.push_back(std::move(element));
  }
  return tuple;
}

/// `optional(T)` of an object's attribute, or the type itself.
Result<std::pair<Type, bool>> AttributeType(const Node& node) {
  const auto* call = std::get_if<CallForm>(&node.form);
  bool optional = call != nullptr && call->name == "optional";
  if (!optional) {
    TRY_ASSIGN(auto type, TypeOfExpression(node));
    return std::pair(std::move(type), false);
  }
  if (call->arguments.size() != 1)
    return Fail(ErrorAt(node.range, "optional() takes one type",
                        "what is absent becomes null: default values are not known here"));
  TRY_ASSIGN(auto type, TypeOfExpression(*call->arguments.front()));
  return std::pair(std::move(type), true);
}

Result<Type> ObjectType(const Node& node) {
  const auto* object = std::get_if<ObjectForm>(&node.form);
  if (object == nullptr)
    return Fail(ErrorAt(node.range, "object() takes names with types", "object({ a = string })"));
  std::map<std::string, std::pair<Type, bool>> attributes;
  for (const auto& [key, value] : object->items) {
    const auto* name = std::get_if<Literal>(&key->form);
    if (name == nullptr || !name->value.is_string())
      return Fail(ErrorAt(key->range, "a name is expected here", ""));
    TRY_ASSIGN(attributes[name->value.AsString()], AttributeType(*value));
  }
  Type type = Type::Of(Type::Kind::kObject);
  for (auto& [name, attribute] : attributes) {
    type.names.push_back(name);
    type.elements.push_back(std::move(attribute.first));
    type.optional.push_back(attribute.second);
  }
  return type;
}

}  // namespace

std::string DidYouMean(std::string_view name, const std::vector<std::string_view>& candidates) {
  auto near = Nearest(name, candidates);
  return near.empty() ? "" : Cat("did you mean `", near, "`?");
}

Error UnknownName(const Scope& scope, const Traversal& reference) {
  return ErrorAt(reference.root_range, Cat("unknown variable `", reference.root, "`"),
                 DidYouMean(reference.root, NamesIn(scope)));
}

Error UnknownFunction(const Scope& scope, const CallForm& call) {
  return ErrorAt(call.name_range, Cat("unknown function `", call.name, "`"),
                 DidYouMean(call.name, FunctionNamesIn(scope)));
}

Result<> CheckNames(const Node& node, const Scope& scope, const std::vector<std::string>& locals) {
  NameWalk walk(locals);
  walk.Walk(node);
  for (const auto* call : walk.calls) {
    bool known = IsSpecial(call->name) || FindFunction(call->name) != nullptr ||
                 FindUserFunction(scope, call->name) != nullptr;
    if (!known) return Fail(UnknownFunction(scope, *call));
  }
  for (const auto* found : walk.references) {
    const auto& reference = std::get<Traversal>(found->form);
    if (!scope.Has(reference.root) && FindResolver(scope, reference.root) == nullptr)
      return Fail(UnknownName(scope, reference));
  }
  return {};
}

std::vector<const CallForm*> CollectCalls(const Node& node) {
  NameWalk walk({});
  walk.Walk(node);
  return std::move(walk.calls);
}

Result<Type> TypeOfExpression(const Node& node) {
  if (const auto* name = std::get_if<Traversal>(&node.form)) return TypeFromName(*name, node.range);
  if (const auto* call = std::get_if<CallForm>(&node.form)) return TypeFromCall(*call, node.range);
  const auto* text = std::get_if<Literal>(&node.form);
  if (text == nullptr || !text->value.is_string())
    return Fail(ErrorAt(
        node.range, "a type is expected here",
        "string, number, bool, list(...), set(...), map(...), object({...}), tuple([...])"));
  TRY_ASSIGN(auto embedded, ParseEmbedded(text->value.AsString(), node.range));
  if (std::holds_alternative<Literal>(embedded->form))
    return Fail(ErrorAt(node.range, "a type is expected here", ""));
  return TypeOfExpression(*embedded);
}

Result<Type> ParseType(const Expression& expression) {
  return TypeOfExpression(expression.node());
}

}  // namespace depot::hcl
