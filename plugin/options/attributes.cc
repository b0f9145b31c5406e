#include "plugin/options/attributes.h"

#include "driver/base/shown.h"
#include "driver/base/text.h"

namespace depot::options {
namespace {

Error Malformed(std::string_view record, std::string_view why) {
  return Error(ErrorCode::kUsage, Cat("\"", Printable(record), "\" ", why));
}

/// Reads a quoted field that starts at `at` (the quote) and leaves `at` behind the closing quote.
Result<std::string> QuotedField(std::string_view record, std::size_t& at) {
  std::string field;
  for (++at; at < record.size(); ++at) {
    if (record[at] != '"') {
      field += record[at];
    } else if (at + 1 < record.size() && record[at + 1] == '"') {
      field += '"';
      ++at;
    } else {
      ++at;
      return field;
    }
  }
  return Fail(Malformed(record, "has a quote that is not closed"));
}

}  // namespace

Result<std::vector<std::string>> SplitRecord(std::string_view record) {
  std::vector<std::string> fields;
  std::size_t at = 0;
  while (true) {
    if (at < record.size() && record[at] == '"') {
      TRY_ASSIGN(std::string field, QuotedField(record, at));
      fields.push_back(std::move(field));
      if (at < record.size() && record[at] != ',') {
        return Fail(Malformed(record, "has text behind a closing quote"));
      }
    } else {
      std::size_t end = std::min(record.find(',', at), record.size());
      std::string_view field = record.substr(at, end - at);
      if (field.find('"') != std::string_view::npos) {
        return Fail(Error(Malformed(record, "has a quote inside a field"))
                        .WithHint("quote the whole field: \"dest=a,b\""));
      }
      fields.emplace_back(field);
      at = end;
    }
    if (at >= record.size()) return fields;
    ++at;
  }
}

Result<std::vector<Attribute>> ParseAttributes(std::string_view record, std::string_view what) {
  auto fields = SplitRecord(record);
  if (!fields) return Fail(std::move(fields).error().While(what));
  std::vector<Attribute> attributes;
  for (const std::string& field : *fields) {
    std::size_t sign = field.find('=');
    if (sign == std::string::npos) {
      return Fail(ErrorCode::kUsage,
                  Cat(what, ": \"", Printable(field), "\" must be a key=value pair"));
    }
    std::string_view text = field;
    attributes.push_back({LowerAscii(Trim(text.substr(0, sign))), field.substr(sign + 1)});
  }
  return attributes;
}

std::string Suggest(std::string_view word, const std::vector<std::string_view>& known) {
  std::string_view nearest = Nearest(word, known);
  if (!nearest.empty()) return Cat(", did you mean ", nearest, "?");
  std::vector<std::string> names(known.begin(), known.end());
  return Cat(", known are: ", Join(names, ", "));
}

Error Usage(std::string message) {
  return Error(ErrorCode::kUsage, std::move(message));
}

Error Wrong(std::string_view flag, std::string_view message) {
  return Error(ErrorCode::kUsage, Cat(flag, ": ", message));
}

Error AsUsage(const Error& error, std::string_view context) {
  return Error(ErrorCode::kUsage, error.message()).While(context).WithHint(error.hint());
}

}  // namespace depot::options
