#include "plugin/bake/definition.h"

#include <algorithm>
#include <cctype>
#include <deque>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/oci/platform.h"
#include "plugin/bake/field_values.h"
#include "plugin/bake/matrix.h"
#include "plugin/bake/variables.h"

namespace depot::bake {
namespace {

using hcl::Value;

const std::vector<hcl::BlockType>& TopBlocks() {
  static const std::vector<hcl::BlockType> types = {
      {"variable", 1}, {"function", 1}, {"group", 1}, {"target", 1}};
  return types;
}

Error NotThere(std::string_view kind, std::string_view name) {
  return Error(ErrorCode::kInvalid,
               Cat("there is no ", kind, " \"", Printable(name), "\" to refer to"));
}

/// One definition while it is being evaluated. Everything refers into everything, so it stays where
/// it is.
class Evaluation {
 public:
  Evaluation(Definition compose, const Surroundings& surroundings)
      : definition_(std::move(compose)),
        surroundings_(surroundings),
        compose_(definition_.targets) {}
  Evaluation(const Evaluation&) = delete;
  Evaluation& operator=(const Evaluation&) = delete;

  Result<Definition> Run(const std::vector<hcl::Body>& files) {
    TRY_ASSIGN(content_, hcl::ReadAll(files, TopBlocks()));
    TRY_ASSIGN(variables_, Variables::Read(content_, surroundings_.variables));
    scope_.Set("BAKE_CMD_CONTEXT", Value::String(surroundings_.command_context));
    scope_.Set("BAKE_LOCAL_PLATFORM", Value::String(FormatPlatform(HostPlatform())));
    if (!surroundings_.home.empty()) scope_.SetHome(surroundings_.home);
    variables_.DefineIn(scope_);
    for (const hcl::Block& block : content_.blocks)
      if (block.type == "function") TRY(DefineFunction(block));
    AnswerReferences();
    TRY(scope_.CheckFunctions());
    TRY(ReadGroupBlocks());
    TRY(Expand());
    TRY(variables_.Check(scope_));
    TRY(EvaluateGroups());
    TRY(EvaluateTargets());
    TRY_ASSIGN(definition_.variables, variables_.Facts(scope_));
    TRY(NoteIgnored());
    return std::move(definition_);
  }

 private:
  Result<> DefineFunction(const hcl::Block& block) {
    TRY(scope_.DefineFunction(block));
    TRY_ASSIGN(const hcl::Content content, block.body.Read({}));
    definition_.ignored.Add("function", block.labels.front(), content,
                            {"params", "variadic_params", "result"});
    return {};
  }

  void AnswerReferences() {
    scope_.Resolve("target", [this](const hcl::Reference& reference) { return Target(reference); });
    scope_.Resolve("group", [this](const hcl::Reference& reference) { return GroupOf(reference); });
  }

  Result<hcl::Resolved> Target(const hcl::Reference& reference) {
    if (reference.steps.empty() || !reference.steps[0].is_string()) {
      return Fail(ErrorCode::kInvalid, "target alone is no value: write target.NAME.FIELD");
    }
    const std::string& name = reference.steps[0].AsString();
    if (!raws_.contains(name) && !compose_.contains(name)) return Fail(NotThere("target", name));
    if (reference.steps.size() == 1 || !reference.steps[1].is_string()) {
      TRY_ASSIGN(const Fields fields, Merged(name));
      return hcl::Resolved{FieldValues(fields), 1};
    }
    const std::string& field = reference.steps[1].AsString();
    if (!IsField(field)) {
      return Fail(ErrorCode::kInvalid, Cat("a target has no field \"", Printable(field), '"'));
    }
    // Under a name that no expression can write, so that circles are found.
    const std::string key = Cat("target.", name, '.', field);
    if (!scope_.Has(key)) {
      scope_.Define(key, reference.range,
                    [this, name, field]() -> Result<Value> { return MergedField(name, field); });
    }
    TRY_ASSIGN(const std::optional<Value> value, scope_.Get(key));
    return hcl::Resolved{value.value_or(Value()), 2};
  }

  Result<hcl::Resolved> GroupOf(const hcl::Reference& reference) {
    if (reference.steps.size() < 2 || !reference.steps[0].is_string() ||
        !reference.steps[1].is_string() || reference.steps[1].AsString() != "targets") {
      return Fail(ErrorCode::kInvalid, "of a group there is group.NAME.targets");
    }
    const std::string& name = reference.steps[0].AsString();
    const std::string key = Cat("group.", name);
    if (!scope_.Has(key)) return Fail(NotThere("group", name));
    TRY_ASSIGN(const std::optional<Value> value, scope_.Get(key));
    return hcl::Resolved{value.value_or(Value()), 2};
  }

  Fields ComposeFields(const std::string& name) const {
    auto found = compose_.find(name);
    return found == compose_.end() ? Fields() : found->second;
  }

  Result<Value> MergedField(const std::string& name, const std::string& field) {
    Fields merged = ComposeFields(name);
    for (const RawTarget& raw : raws_[name]) {
      const hcl::Attribute* attribute = raw.content->Find(field);
      if (attribute == nullptr) continue;
      Fields own;
      TRY(ReadField(*attribute, *raw.scope, own));
      Merge(merged, own);
    }
    return FieldValue(merged, field);
  }

  Result<Fields> Merged(const std::string& name) {
    Fields merged = ComposeFields(name);
    for (const RawTarget& raw : raws_[name]) {
      Fields own;
      for (const hcl::Attribute& attribute : raw.content->attributes)
        TRY(ReadField(attribute, *raw.scope, own));
      Merge(merged, own);
    }
    return merged;
  }

  Result<> ReadGroupBlocks() {
    for (const hcl::Block& block : content_.blocks) {
      if (block.type != "group") continue;
      const std::string& name = block.labels.front();
      if (!IsTargetName(name)) {
        return Fail(hcl::ErrorAt(block.label_ranges.front(), "Invalid name",
                                 "only letters, digits, - and _ are allowed"));
      }
      TRY_ASSIGN(hcl::Content content, block.body.Read({}));
      for (const char* wrong : {"matrix", "name"}) {
        if (content.Find(wrong) == nullptr) continue;
        return Fail(
            hcl::ErrorAt(block.header, Cat("Unsupported ", wrong), Cat("a group has no ", wrong)));
      }
      if (content.Find("targets") == nullptr) {
        return Fail(hcl::ErrorAt(block.header, "Missing attribute", "a group needs targets"));
      }
      group_contents_.insert_or_assign(name, std::move(content));
    }
    for (const auto& entry : group_contents_) {
      const hcl::Attribute* targets = entry.second.Find("targets");
      scope_.Define(Cat("group.", entry.first), targets->name_range, [this, targets] {
        return hcl::EvaluateAs(
            targets->value,
            hcl::Type::Of(hcl::Type::Kind::kList, hcl::Type::Of(hcl::Type::Kind::kString)), scope_);
      });
    }
    return {};
  }

  Result<> EvaluateGroups() {
    for (const auto& [name, content] : group_contents_) {
      Fields description;
      if (const hcl::Attribute* said = content.Find("description")) {
        TRY(ReadField(*said, scope_, description));
      }
      TRY_ASSIGN(const std::optional<Value> targets, scope_.Get(Cat("group.", name)));
      Group group{description.description, {}};
      for (const Value& target : targets->elements())
        if (!target.is_null()) group.targets.push_back(target.AsString());
      definition_.groups.insert_or_assign(name, std::move(group));
    }
    return {};
  }

  Result<> Expand() {
    Ignored::Names known = FieldNames();
    known.insert(known.end(), {"matrix", "name"});
    for (const hcl::Block& block : content_.blocks) {
      if (block.type != "target") continue;
      TRY_ASSIGN(hcl::Content read, block.body.Read({}));
      const hcl::Content& content = contents_.emplace_back(std::move(read));
      TRY_ASSIGN(std::vector<RawTarget> targets, ExpandBlock(block, content, scope_, scopes_));
      Strings names;
      for (RawTarget& target : targets) {
        names.push_back(target.name);
        raws_[target.name].push_back(std::move(target));
      }
      if (raws_.size() + compose_.size() > kMostTargets) {
        return Fail(hcl::ErrorAt(block.header, "Too many targets",
                                 Cat("a definition has at most ", kMostTargets, " targets")));
      }
      NameMatrix(block.labels.front(), content, names);
      definition_.ignored.Add("target", block.labels.front(), content, known, names);
    }
    return {};
  }

  /// The label of a matrix stands for what it makes.
  void NameMatrix(const std::string& label, const hcl::Content& content, const Strings& names) {
    if (content.Find("matrix") == nullptr || names.empty() || names == Strings{label}) return;
    definition_.groups.try_emplace(label, Group{std::nullopt, names});
  }

  Result<> EvaluateTargets() {
    for (const auto& [name, raws] : raws_) {
      TRY_ASSIGN(definition_.targets[name], Merged(name));
    }
    return {};
  }

  Result<> NoteIgnored() {
    Ignored& ignored = definition_.ignored;
    ignored.AddBlocksOfFiles(content_, {"variable", "function", "group", "target"});
    TRY(variables_.AddTo(ignored));
    for (const auto& [name, content] : group_contents_)
      ignored.Add("group", name, content, {"targets", "description"});
    return {};
  }

  Definition definition_;
  const Surroundings& surroundings_;
  const std::map<std::string, Fields, std::less<>> compose_;
  hcl::Content content_;
  Variables variables_;
  std::map<std::string, hcl::Content> group_contents_;
  std::deque<hcl::Content> contents_;
  hcl::Scope scope_;
  std::deque<hcl::Scope> scopes_;
  std::map<std::string, std::vector<RawTarget>> raws_;
};

}  // namespace

bool IsTargetName(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_';
  });
}

std::string AsTargetName(std::string name) {
  std::replace(name.begin(), name.end(), '.', '_');
  return name;
}

Result<Definition> EvaluateDefinition(const std::vector<hcl::Body>& files,
                                      Definition compose,
                                      const Surroundings& surroundings) {
  return Evaluation(std::move(compose), surroundings).Run(files);
}

}  // namespace depot::bake
