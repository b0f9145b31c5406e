#include "driver/base/json.h"

#include <nlohmann/json.hpp>

#include "driver/base/text.h"

namespace depot {
namespace {

using nlohmann::json;

constexpr int kMaxDepth = 200;

/// The library's parser recurses when its values are destroyed, so hostile nesting is refused
/// before it sees the text.
bool TooDeep(std::string_view text) {
  int depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > kMaxDepth) return true;
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return false;
}

/// Position of a parse error as "line L, column C"; never the text itself, which may be a secret.
std::string Position(std::string_view text, std::size_t byte) {
  std::size_t line = 1;
  std::size_t column = 1;
  for (std::size_t i = 0; i + 1 < byte && i < text.size(); ++i) {
    ++column;
    if (text[i] == '\n') {
      ++line;
      column = 1;
    }
  }
  return Cat("line ", line, ", column ", column);
}

}  // namespace

struct Json::Value {
  json data;
};

Json::Json() : value_(std::make_unique<Value>()) {}
Json::Json(std::unique_ptr<Value> value) : value_(std::move(value)) {}
Json::Json(const Json& other) : value_(std::make_unique<Value>(*other.value_)) {}
Json::Json(Json&& other) noexcept : value_(std::move(other.value_)) {
  other.value_ = std::make_unique<Value>();
}
Json& Json::operator=(Json other) noexcept {
  value_.swap(other.value_);
  return *this;
}
Json::~Json() = default;

Json Json::String(std::string_view text) {
  return Json(std::make_unique<Value>(Value{json(std::string(text))}));
}
Json Json::Number(std::int64_t value) {
  return Json(std::make_unique<Value>(Value{json(value)}));
}
Json Json::Bool(bool value) {
  return Json(std::make_unique<Value>(Value{json(value)}));
}
Json Json::Object() {
  return Json(std::make_unique<Value>(Value{json::object()}));
}
Json Json::Array() {
  return Json(std::make_unique<Value>(Value{json::array()}));
}

Result<Json> Json::Parse(std::string_view text) {
  if (TooDeep(text)) {
    return Fail(ErrorCode::kInvalid, Cat("JSON is nested deeper than ", kMaxDepth, " levels"));
  }
  // The library reports where it failed only by exception; it ends in this function.
  try {
    return Json(std::make_unique<Value>(Value{json::parse(text)}));
  } catch (const json::parse_error& error) {
    return Fail(ErrorCode::kInvalid, Cat("not valid JSON at ", Position(text, error.byte)));
  } catch (const json::exception&) {
    return Fail(ErrorCode::kInvalid, "not valid JSON: a number is out of range");
  }
}

Json::Type Json::type() const {
  switch (value_->data.type()) {
    case json::value_t::boolean:
      return Type::kBool;
    case json::value_t::number_integer:
    case json::value_t::number_unsigned:
    case json::value_t::number_float:
      return Type::kNumber;
    case json::value_t::string:
      return Type::kString;
    case json::value_t::array:
      return Type::kArray;
    case json::value_t::object:
      return Type::kObject;
    default:
      return Type::kNull;
  }
}

std::string Json::AsString(std::string_view otherwise) const {
  const auto* text = value_->data.get_ptr<const json::string_t*>();
  return text ? *text : std::string(otherwise);
}

std::int64_t Json::AsInt(std::int64_t otherwise) const {
  return value_->data.is_number_integer() ? value_->data.get<std::int64_t>() : otherwise;
}

bool Json::AsBool(bool otherwise) const {
  return value_->data.is_boolean() ? value_->data.get<bool>() : otherwise;
}

std::size_t Json::size() const {
  return value_->data.is_structured() ? value_->data.size() : 0;
}

bool Json::Has(std::string_view key) const {
  return value_->data.contains(key);
}

Json Json::operator[](std::string_view key) const {
  if (!value_->data.is_object()) return {};
  auto found = value_->data.find(key);
  if (found == value_->data.end()) return {};
  return Json(std::make_unique<Value>(Value{*found}));
}

Json Json::operator[](std::size_t index) const {
  if (!value_->data.is_array() || index >= value_->data.size()) return {};
  return Json(std::make_unique<Value>(Value{value_->data[index]}));
}

std::vector<std::string> Json::Keys() const {
  std::vector<std::string> keys;
  if (!value_->data.is_object()) return keys;
  for (const auto& item : value_->data.items())
    keys.push_back(item.key());
  return keys;
}

void Json::Set(std::string_view key, Json value) {
  if (!value_->data.is_object()) value_->data = json::object();
  value_->data[std::string(key)] = std::move(value.value_->data);
}

void Json::Append(Json value) {
  if (!value_->data.is_array()) value_->data = json::array();
  value_->data.push_back(std::move(value.value_->data));
}

std::string Json::Dump(int indent) const {
  return value_->data.dump(indent, ' ', false, json::error_handler_t::replace);
}

}  // namespace depot
