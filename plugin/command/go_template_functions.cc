#include <algorithm>
#include <cstdint>
#include <optional>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "plugin/command/go_template_nodes.h"

namespace depot::command {
namespace {

using TemplateFunction = Result<Json> (*)(const TemplateArguments&);

auto NoFit(std::string_view function, std::string_view why) {
  return Fail(ErrorCode::kUsage, Cat("--format: ", function, ": ", why));
}

bool SameValue(const Json& left, const Json& right) {
  return left.type() == right.type() && left.Dump() == right.Dump();
}

Result<Json> CallEq(const TemplateArguments& arguments) {
  if (arguments.size() < 2) return NoFit("eq", "takes two arguments");
  return Json::Bool(std::any_of(arguments.begin() + 1, arguments.end(),
                                [&](const Json& other) { return SameValue(arguments[0], other); }));
}

Result<Json> CallNe(const TemplateArguments& arguments) {
  if (arguments.size() != 2) return NoFit("ne", "takes two arguments");
  return Json::Bool(!SameValue(arguments[0], arguments[1]));
}

Result<Json> CallAnd(const TemplateArguments& arguments) {
  for (const Json& argument : arguments)
    if (!IsTrue(argument)) return argument;
  return arguments.back();
}

Result<Json> CallOr(const TemplateArguments& arguments) {
  for (const Json& argument : arguments)
    if (IsTrue(argument)) return argument;
  return arguments.back();
}

Result<Json> CallNot(const TemplateArguments& arguments) {
  return Json::Bool(!IsTrue(arguments[0]));
}

Result<Json> CallLen(const TemplateArguments& arguments) {
  const Json& value = arguments[0];
  const std::size_t size = value.is_string() ? value.AsString().size() : value.size();
  return Json::Number(static_cast<std::int64_t>(size));
}

Result<Json> CallIndex(const TemplateArguments& arguments) {
  Json value = arguments[0];
  for (std::size_t i = 1; i < arguments.size(); ++i) {
    const Json& key = arguments[i];
    if (value.is_array()) {
      const std::int64_t at = key.AsInt(-1);
      if (at < 0 || static_cast<std::size_t>(at) >= value.size()) {
        return NoFit("index", Cat("there is no element ", key.Dump(), " of ", value.size()));
      }
      value = value[static_cast<std::size_t>(at)];
    } else {
      value = value[key.AsString()];
    }
  }
  return value;
}

Result<Json> CallJoin(const TemplateArguments& arguments) {
  if (arguments.size() != 2) return NoFit("join", "takes a list and a separator");
  std::vector<std::string> parts;
  for (std::size_t i = 0; i < arguments[0].size(); ++i)
    parts.push_back(TemplateText(arguments[0][i]));
  return Json::String(Join(parts, arguments[1].AsString()));
}

Result<Json> CallSplit(const TemplateArguments& arguments) {
  if (arguments.size() != 2 || arguments[1].AsString().size() != 1) {
    return NoFit("split", "takes a text and a separator of one character");
  }
  Json list = Json::Array();
  const std::string text = arguments[0].AsString();
  for (std::string_view part : Split(text, arguments[1].AsString().front()))
    list.Append(Json::String(part));
  return list;
}

Result<Json> CallLower(const TemplateArguments& arguments) {
  return Json::String(LowerAscii(TemplateText(arguments[0])));
}

std::string UpperAscii(std::string text) {
  for (char& c : text)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  return text;
}

Result<Json> CallUpper(const TemplateArguments& arguments) {
  return Json::String(UpperAscii(TemplateText(arguments[0])));
}

Result<Json> CallTitle(const TemplateArguments& arguments) {
  std::string text = TemplateText(arguments[0]);
  if (!text.empty()) text[0] = UpperAscii(text.substr(0, 1))[0];
  return Json::String(text);
}

Result<Json> CallPrintln(const TemplateArguments& arguments) {
  std::vector<std::string> parts;
  for (const Json& argument : arguments)
    parts.push_back(TemplateText(argument));
  return Json::String(Join(parts, " ") + '\n');
}

/// %s, %v, %d and %q, without width.
Result<Json> CallPrintf(const TemplateArguments& arguments) {
  const std::string format = arguments[0].AsString();
  std::string out;
  std::size_t next = 1;
  for (std::size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%' || i + 1 == format.size()) {
      out += format[i];
      continue;
    }
    const char verb = format[++i];
    if (verb == '%') {
      out += '%';
      continue;
    }
    if (std::string_view("svdq").find(verb) == std::string_view::npos) {
      return NoFit("printf", Cat("%", Printable(std::string(1, verb)), " is not known here"));
    }
    if (next >= arguments.size()) return NoFit("printf", "has too few arguments");
    const std::string text = TemplateText(arguments[next++]);
    out += verb == 'q' ? Json::String(text).Dump() : text;
  }
  return Json::String(out);
}

struct FunctionRow {
  std::string_view name;
  TemplateFunction call;
};

constexpr FunctionRow kFunctions[] = {
    {"and", CallAnd},     {"eq", CallEq},         {"index", CallIndex},     {"join", CallJoin},
    {"len", CallLen},     {"lower", CallLower},   {"ne", CallNe},           {"not", CallNot},
    {"or", CallOr},       {"printf", CallPrintf}, {"println", CallPrintln}, {"split", CallSplit},
    {"title", CallTitle}, {"upper", CallUpper},
};

const FunctionRow* FindRow(std::string_view name) {
  const auto* row = std::find_if(std::begin(kFunctions), std::end(kFunctions),
                                 [&](const FunctionRow& one) { return one.name == name; });
  return row == std::end(kFunctions) ? nullptr : row;
}

}  // namespace

bool IsTemplateFunction(std::string_view name) {
  return FindRow(name) != nullptr;
}

Result<Json> CallTemplateFunction(const std::string& name, const TemplateArguments& arguments) {
  if (arguments.empty()) return NoFit(name, "has no argument");
  return FindRow(name)->call(arguments);
}

std::string TemplateText(const Json& value) {
  if (value.is_string()) return value.AsString();
  if (value.type() == Json::Type::kNull) return "";
  std::vector<std::string> parts;
  if (value.is_array()) {
    for (std::size_t i = 0; i < value.size(); ++i)
      parts.push_back(TemplateText(value[i]));
    return Cat('[', Join(parts, " "), ']');
  }
  if (!value.is_object()) return value.Dump();
  for (const std::string& key : value.Keys())
    parts.push_back(Cat(key, ':', TemplateText(value[key])));
  return Cat("map[", Join(parts, " "), ']');
}

bool IsTrue(const Json& value) {
  if (value.is_string()) return !value.AsString().empty();
  if (value.is_array() || value.is_object()) return value.size() > 0;
  return value.type() == Json::Type::kNumber ? value.AsInt(1) != 0 : value.AsBool();
}

}  // namespace depot::command
