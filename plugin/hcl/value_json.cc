#include <string>
#include <string_view>
#include <utility>

#include "driver/base/go_json.h"
#include "driver/base/text.h"
#include "plugin/hcl/json_reader.h"
#include "plugin/hcl/value.h"

namespace depot::hcl {

namespace {

Result<> Write(std::string& out, const Value& value) {
  switch (value.kind()) {
    case Value::Kind::kNull:
      out += "null";
      return {};
    case Value::Kind::kBool:
      out += value.AsBool() ? "true" : "false";
      return {};
    case Value::Kind::kString:
      AppendGoString(value.AsString(), out);
      return {};
    case Value::Kind::kNumber:
      if (value.AsNumber().is_infinite()) return Fail(ErrorCode::kInvalid, "JSON has no infinity");
      out += value.AsNumber().Text();
      return {};
    default:
      break;
  }
  bool mapping = value.is_mapping();
  out += mapping ? '{' : '[';
  bool first = true;
  auto comma = [&] {
    if (!std::exchange(first, false)) out += ',';
  };
  for (const auto& element : value.elements()) {
    comma();
    TRY(Write(out, element));
  }
  for (const auto& [name, member] : value.members()) {
    comma();
    AppendGoString(name, out);
    out += ':';
    TRY(Write(out, member));
  }
  out += mapping ? '}' : ']';
  return {};
}

Value FromJson(const JsonValue& json) {
  switch (json.kind) {
    case JsonValue::Kind::kNull:
      return Value();
    case JsonValue::Kind::kBool:
      return Value::Bool(json.truth);
    case JsonValue::Kind::kNumber:
      return Value::Of(json.number);
    case JsonValue::Kind::kString:
      return Value::String(json.text);
    case JsonValue::Kind::kArray: {
      Elements elements;
      for (const auto& element : json.elements)
        elements.push_back(FromJson(*element));
      return Value::Tuple(std::move(elements));
    }
    case JsonValue::Kind::kObject:
      break;
  }
  Members members;
  for (const auto& member : json.members)
    members.insert_or_assign(member.name.text, FromJson(*member.value));
  return Value::Object(std::move(members));
}

}  // namespace

Result<std::string> ToJson(const Value& value) {
  std::string out;
  TRY(Write(out, value));
  return out;
}

Result<Value> ParseJson(std::string_view text) {
  auto json = ReadJson(text);
  if (!json)
    return Fail(ErrorCode::kInvalid,
                Cat("no JSON: ", json.error().what, " (byte ", json.error().at, ")"));
  return FromJson(**json);
}

}  // namespace depot::hcl
