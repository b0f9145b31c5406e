#include "plugin/hcl/value.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <variant>

#include <uninorm.h>

namespace depot::hcl {

/// What a value holds.
struct Value::Content {
  using Held = std::variant<bool, Number, std::string, Elements, Members>;

  Kind kind = Kind::kNull;
  Held held;
  std::size_t depth = 1;
  std::size_t weight = 1;
};

Value::Value() = default;

Value::Value(std::shared_ptr<const Content> content) : content_(std::move(content)) {}

Value Value::Made(Kind kind, Content content) {
  constexpr std::size_t kBytesOfAStep = 32;
  content.kind = kind;
  auto add = [&content](const Value& part) {
    content.depth = std::max(content.depth, part.depth() + 1);
    content.weight += part.weight();
  };
  if (const auto* text = std::get_if<std::string>(&content.held))
    content.weight += text->size() / kBytesOfAStep;
  if (const auto* elements = std::get_if<Elements>(&content.held))
    std::for_each(elements->begin(), elements->end(), add);
  if (const auto* members = std::get_if<Members>(&content.held)) {
    for (const auto& [name, member] : *members) {
      add(member);
      content.weight += name.size() / kBytesOfAStep;
    }
  }
  return Value(std::make_shared<const Content>(std::move(content)));
}

namespace {

/// Letters with marks as one character where there is one (NFC): equal looks are equal texts.
std::string Normal(std::string text) {
  bool ascii = std::all_of(text.begin(), text.end(),
                           [](char c) { return static_cast<unsigned char>(c) < 0x80; });
  if (ascii) return text;
  std::size_t size = 0;
  auto* made = u8_normalize(UNINORM_NFC, reinterpret_cast<const std::uint8_t*>(text.data()),
                            text.size(), nullptr, &size);
  if (made == nullptr) return text;
  text.assign(reinterpret_cast<const char*>(made), size);
  std::free(made);
  return text;
}

/// The same order as Before(), which would make the JSON of an element for each comparison.
void SortByJson(Elements& elements) {
  std::vector<std::pair<std::string, Value>> keyed;
  keyed.reserve(elements.size());
  for (auto& element : elements)
    keyed.emplace_back(ToJson(element).value_or(""), std::move(element));
  std::sort(keyed.begin(), keyed.end(), [](const auto& left, const auto& right) {
    bool same = left.second.kind() == right.second.kind();
    return same && left.second.depth() > 1 ? left.first < right.first
                                           : Value::Before(left.second, right.second);
  });
  elements.clear();
  for (auto& [key, element] : keyed)
    elements.push_back(std::move(element));
}

}  // namespace

Value Value::Bool(bool value) {
  return Made(Kind::kBool, {.held = value});
}

Value Value::Of(Number value) {
  return Made(Kind::kNumber, {.held = std::move(value)});
}

Value Value::Integer(std::int64_t value) {
  return Of(Number(value));
}

Value Value::String(std::string value) {
  return Made(Kind::kString, {.held = Normal(std::move(value))});
}

Value Value::List(Elements elements) {
  return Made(Kind::kList, {.held = std::move(elements)});
}

Value Value::Set(Elements elements) {
  bool nested = std::any_of(elements.begin(), elements.end(),
                            [](const Value& value) { return value.depth() > 1; });
  if (nested) {
    SortByJson(elements);
  } else {
    std::sort(elements.begin(), elements.end(), Before);
  }
  elements.erase(std::unique(elements.begin(), elements.end()), elements.end());
  return Made(Kind::kSet, {.held = std::move(elements)});
}

Value Value::Map(Members members) {
  return Made(Kind::kMap, {.held = std::move(members)});
}

Value Value::Tuple(Elements elements) {
  return Made(Kind::kTuple, {.held = std::move(elements)});
}

Value Value::Object(Members members) {
  return Made(Kind::kObject, {.held = std::move(members)});
}

Value::Kind Value::kind() const {
  return content_ ? content_->kind : Kind::kNull;
}

std::size_t Value::depth() const {
  return content_ ? content_->depth : 1;
}

std::size_t Value::weight() const {
  return content_ ? content_->weight : 1;
}

bool Value::is_sequence() const {
  return kind() == Kind::kList || kind() == Kind::kSet || kind() == Kind::kTuple;
}

bool Value::is_mapping() const {
  return kind() == Kind::kMap || kind() == Kind::kObject;
}

template <typename Held>
const Held& Value::As() const {
  static const Held empty{};
  const auto* held = content_ ? std::get_if<Held>(&content_->held) : nullptr;
  return held != nullptr ? *held : empty;
}

bool Value::AsBool() const {
  return As<bool>();
}

const Number& Value::AsNumber() const {
  return As<Number>();
}

const std::string& Value::AsString() const {
  return As<std::string>();
}

const Elements& Value::elements() const {
  return As<Elements>();
}

const Members& Value::members() const {
  return As<Members>();
}

bool Value::operator==(const Value& other) const {
  if (content_ == other.content_) return true;
  if (kind() != other.kind()) return false;
  switch (kind()) {
    case Kind::kNull:
      return true;
    case Kind::kBool:
      return AsBool() == other.AsBool();
    case Kind::kNumber:
      return AsNumber() == other.AsNumber();
    case Kind::kString:
      return AsString() == other.AsString();
    case Kind::kList:
    case Kind::kSet:
    case Kind::kTuple:
      return elements() == other.elements();
    case Kind::kMap:
    case Kind::kObject:
      return members() == other.members();
  }
  return false;
}

bool Value::Before(const Value& left, const Value& right) {
  if (left.kind() != right.kind()) return left.kind() < right.kind();
  switch (left.kind()) {
    case Kind::kBool:
      return !left.AsBool() && right.AsBool();
    case Kind::kNumber:
      return left.AsNumber() < right.AsNumber();
    case Kind::kString:
      return left.AsString() < right.AsString();
    default:
      return ToJson(left).value_or("") < ToJson(right).value_or("");
  }
}

}  // namespace depot::hcl
