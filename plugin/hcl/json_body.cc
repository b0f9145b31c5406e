#include <cstddef>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "driver/base/text.h"
#include "plugin/hcl/body.h"
#include "plugin/hcl/parser.h"

namespace depot::hcl {

namespace {

using Pointer = std::shared_ptr<const JsonValue>;
using Labels = std::vector<const JsonValue*>;

Range RangeIn(const std::shared_ptr<const Source>& source, const JsonValue& json) {
  return {source, json.begin, json.end};
}

NodePtr Template(const JsonValue& json, const std::shared_ptr<const Source>& source) {
  auto range = RangeIn(source, json);
  if (json.text.find("${") == std::string::npos && json.text.find("%{") == std::string::npos)
    return MakeNode(range, Literal{Value::String(json.text)});
  // Without escapes the source itself is parsed, so that errors know the very place.
  Extent extent{source, json.text, json.begin, json.end - json.begin};
  if (!json.escaped) {
    auto inner = std::string_view(source->text).substr(json.begin + 1, json.end - json.begin - 2);
    extent = {source, inner, json.begin + 1, 0};
  }
  auto node = Parser(extent).WholeTemplate();
  if (node) return *std::move(node);
  return MakeNode(range, BadForm{std::make_shared<const Error>(std::move(node).error())});
}

/// Takes members apart into attributes and blocks.
class JsonBodyReader {
 public:
  JsonBodyReader(const BodySyntax& body, const std::vector<BlockType>& types)
      : body_(body), types_(types) {}

  Result<Content> Read() {
    for (const auto& object : body_.objects) {
      for (const auto& member : object->members)
        TRY(Member(member));
    }
    return std::move(out_);
  }

 private:
  Result<> Member(const JsonMember& member) {
    for (const auto& type : types_) {
      if (type.type == member.name.text) return Blocks(type, member.name, {}, member.value);
    }
    if (member.name.text == "//") return {};
    auto range = RangeIn(body_.source, member.name);
    if (!names_.insert(member.name.text).second)
      return Fail(
          ErrorAt(range, Cat("\"", member.name.text, "\" is set twice"), "keep one of them"));
    out_.attributes.push_back(
        {member.name.text, range, Expression(JsonExpression(*member.value, body_.source))});
    return {};
  }

  /// One object for each label, then the body; each may be an array of such.
  Result<> Blocks(const BlockType& type,
                  const JsonValue& type_name,
                  const Labels& labels,
                  const Pointer& json) {
    if (json->kind == JsonValue::Kind::kNull) return {};
    if (json->kind == JsonValue::Kind::kArray) {
      for (const auto& element : json->elements) {
        if (element->kind == JsonValue::Kind::kArray) return Fail(NoObject(type, *element));
        TRY(Blocks(type, type_name, labels, element));
      }
      return {};
    }
    if (json->kind != JsonValue::Kind::kObject) return Fail(NoObject(type, *json));
    if (labels.size() == type.labels) return Add(type_name, labels, json);
    for (const auto& member : json->members) {
      if (member.name.text == "//") continue;
      Labels longer = labels;
      longer.push_back(&member.name);
      TRY(Blocks(type, type_name, longer, member.value));
    }
    return {};
  }

  Result<> Add(const JsonValue& type_name, const Labels& labels, const Pointer& json) {
    Block block;
    block.type = type_name.text;
    block.header = RangeIn(body_.source, type_name);
    for (const auto* label : labels) {
      block.labels.push_back(label->text);
      block.label_ranges.push_back(RangeIn(body_.source, *label));
      block.header = block.label_ranges.back();
    }
    auto inner = std::make_shared<BodySyntax>();
    inner->source = body_.source;
    inner->json = true;
    inner->objects = {json};
    block.body = Body(std::move(inner));
    out_.blocks.push_back(std::move(block));
    return {};
  }

  Error NoObject(const BlockType& type, const JsonValue& json) const {
    return ErrorAt(RangeIn(body_.source, json), "an object is expected here",
                   Cat("`", type.type, "` blocks are objects"));
  }

  const BodySyntax& body_;
  const std::vector<BlockType>& types_;
  std::set<std::string, std::less<>> names_;
  Content out_;
};

}  // namespace

NodePtr JsonExpression(const JsonValue& json, const std::shared_ptr<const Source>& source) {
  auto range = RangeIn(source, json);
  switch (json.kind) {
    case JsonValue::Kind::kNull:
      return MakeNode(range, Literal{Value()});
    case JsonValue::Kind::kBool:
      return MakeNode(range, Literal{Value::Bool(json.truth)});
    case JsonValue::Kind::kNumber:
      return MakeNode(range, Literal{Value::Of(json.number)});
    case JsonValue::Kind::kString:
      return Template(json, source);
    case JsonValue::Kind::kArray: {
      TupleForm tuple;
      for (const auto& element : json.elements)
        tuple.items.push_back(JsonExpression(*element, source));
      return MakeNode(range, std::move(tuple));
    }
    case JsonValue::Kind::kObject:
      break;
  }
  ObjectForm object;
  for (const auto& member : json.members)
    object.items.emplace_back(Template(member.name, source), JsonExpression(*member.value, source));
  return MakeNode(range, std::move(object));
}

Result<Body> ParseJsonBody(const std::shared_ptr<const Source>& source) {
  auto json = ReadJson(source->text);
  if (!json) {
    auto at = std::min(json.error().at, source->text.size());
    return Fail(ErrorAt({source, at, at}, "invalid JSON", json.error().what));
  }
  auto syntax = std::make_shared<BodySyntax>();
  syntax->source = source;
  syntax->json = true;
  syntax->objects = {*json};
  if ((*json)->kind == JsonValue::Kind::kArray) syntax->objects = (*json)->elements;
  for (const auto& object : syntax->objects) {
    if (object->kind != JsonValue::Kind::kObject)
      return Fail(ErrorAt(RangeIn(source, *object), "an object is expected here",
                          "a definition is one JSON object"));
  }
  return Body(std::move(syntax));
}

Result<Content> ReadJsonBody(const BodySyntax& body, const std::vector<BlockType>& types) {
  return JsonBodyReader(body, types).Read();
}

}  // namespace depot::hcl
