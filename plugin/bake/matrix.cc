#include "plugin/bake/matrix.h"

#include <set>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "plugin/bake/definition.h"

namespace depot::bake {
namespace {

using hcl::Value;

Error AtLabel(const hcl::Block& block, std::string_view gist, std::string_view detail) {
  return hcl::ErrorAt(block.label_ranges.front(), gist, detail);
}

Result<> CheckName(const hcl::Block& block, const std::string& name) {
  if (IsTargetName(name)) return {};
  return Fail(AtLabel(block, "Invalid name",
                      Cat("\"", Printable(name), "\": only letters, digits, - and _ are allowed")));
}

/// How many combinations there are; 0 with an empty list.
Result<std::size_t> CountCombinations(const hcl::Block& block, const hcl::Members& axes) {
  std::size_t count = 1;
  for (const auto& [name, values] : axes) {
    if (!values.is_sequence()) {
      return Fail(AtLabel(
          block, "Invalid matrix",
          Cat("the value of ", Printable(name), " is a list, not ", hcl::TypeName(values))));
    }
    if (values.elements().empty()) return std::size_t{0};
    // Neither factor is anywhere near the limit of the type.
    if (count <= kMostTargets * kMostTargets) count *= values.elements().size();
  }
  if (count <= kMostTargets) return count;
  return Fail(AtLabel(
      block, "Matrix too large",
      Cat("it has ", count, " combinations; at most ", kMostTargets, " targets are built")));
}

/// The `index`th combination, where the last axis varies fastest.
void SetCombination(const hcl::Members& axes, std::size_t index, hcl::Scope& scope) {
  for (auto axis = axes.rbegin(); axis != axes.rend(); ++axis) {
    const hcl::Elements& values = axis->second.elements();
    scope.Set(axis->first, values[index % values.size()]);
    index /= values.size();
  }
}

Result<std::string> NameOf(const hcl::Block& block,
                           const hcl::Attribute* name,
                           const hcl::Scope& scope) {
  if (name == nullptr) return block.labels.front();
  TRY_ASSIGN(const Value value,
             hcl::EvaluateAs(name->value, hcl::Type::Of(hcl::Type::Kind::kString), scope));
  TRY(CheckName(block, value.AsString()));
  return value.AsString();
}

Result<hcl::Members> AxesOf(const hcl::Block& block,
                            const hcl::Attribute& matrix,
                            const hcl::Scope& scope) {
  TRY_ASSIGN(const Value value, hcl::Evaluate(matrix.value, scope));
  if (value.is_mapping()) return value.members();
  return Fail(AtLabel(block, "Invalid matrix",
                      Cat("matrix is a map of lists, not ", hcl::TypeName(value))));
}

}  // namespace

Result<std::vector<RawTarget>> ExpandBlock(const hcl::Block& block,
                                           const hcl::Content& content,
                                           const hcl::Scope& scope,
                                           std::deque<hcl::Scope>& scopes) {
  const hcl::Attribute* name = content.Find("name");
  const hcl::Attribute* matrix = content.Find("matrix");
  TRY(CheckName(block, block.labels.front()));
  if (matrix == nullptr) {
    if (name == nullptr) return std::vector<RawTarget>{{block.labels.front(), &content, &scope}};
    return Fail(AtLabel(block, "Invalid name", "a target has a name only with a matrix"));
  }
  TRY_ASSIGN(const hcl::Members axes, AxesOf(block, *matrix, scope));
  TRY_ASSIGN(const std::size_t count, CountCombinations(block, axes));
  if (name == nullptr && count > 1) {
    return Fail(AtLabel(block, "Missing name",
                        Cat("the matrix of target ", block.labels.front(),
                            " makes several targets, which need names that differ")));
  }
  std::vector<RawTarget> targets;
  std::set<std::string> names;
  for (std::size_t i = 0; i < count; ++i) {
    hcl::Scope& own = scopes.emplace_back(scope);
    SetCombination(axes, i, own);
    TRY_ASSIGN(std::string made, NameOf(block, name, own));
    if (!names.insert(made).second) {
      return Fail(
          AtLabel(block, "Duplicate name", Cat("the matrix makes the name \"", made, "\" twice")));
    }
    targets.push_back({std::move(made), &content, &own});
  }
  return targets;
}

}  // namespace depot::bake
