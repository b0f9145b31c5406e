#include <cstddef>
#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <unistr.h>

#include "driver/base/encode.h"
#include "driver/base/text.h"
#include "plugin/hcl/functions.h"

namespace depot::hcl {

namespace {

Result<Value> Base64Encode(const Arguments& arguments) {
  return Value::String(Base64(arguments[0].AsString()));
}

Result<Value> Base64Decode(const Arguments& arguments) {
  auto bytes = FromBase64(arguments[0].AsString());
  if (!bytes) return Refuse("this is no base64");
  if (u8_check(reinterpret_cast<const std::uint8_t*>(bytes->data()), bytes->size()) != nullptr)
    return Refuse("what is encoded is no UTF-8 text");
  return Value::String(*std::move(bytes));
}

Result<Value> UrlEncode(const Arguments& arguments) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~";
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  for (char c : arguments[0].AsString()) {
    auto byte = static_cast<unsigned char>(c);
    if (kPlain.find(c) != std::string_view::npos) {
      out += c;
    } else if (c == ' ') {
      out += '+';
    } else {
      out += '%';
      out += kHex[byte >> 4U];
      out += kHex[byte & 15U];
    }
  }
  return Value::String(std::move(out));
}

Result<Value> JsonEncode(const Arguments& arguments) {
  TRY_ASSIGN(auto json, ToJson(arguments[0]));
  return Value::String(std::move(json));
}

Result<Value> JsonDecode(const Arguments& arguments) {
  return ParseJson(arguments[0].AsString());
}

/// RFC 4180: one field from `at` on; `at` is then at the separator or the line end behind it.
Result<std::string> CsvField(std::string_view text, std::size_t& at) {
  std::string out;
  if (at >= text.size() || text[at] != '"') {
    auto end = std::min(text.find_first_of(",\n", at), text.size());
    out = text.substr(at, end - at);
    at = end;
    if (out.ends_with('\r') && end < text.size() && text[end] == '\n') out.pop_back();
    if (out.find('"') != std::string::npos)
      return Refuse("a quote stands within a field that does not begin with one");
    return out;
  }
  for (++at;; ++at) {
    auto quote = text.find('"', at);
    if (quote == std::string_view::npos) return Refuse("a quote is not closed");
    out += text.substr(at, quote - at);
    at = quote + 1;
    if (at >= text.size() || text[at] != '"') break;
    out += '"';
  }
  if (text.substr(at).starts_with("\r\n")) ++at;
  if (at < text.size() && text[at] != ',' && text[at] != '\n')
    return Refuse("a field goes on behind its closing quote");
  return out;
}

Result<std::vector<std::vector<std::string>>> CsvRecords(std::string_view text) {
  std::vector<std::vector<std::string>> records;
  std::size_t at = 0;
  while (at < text.size()) {
    if (text[at] == '\n' || text.substr(at).starts_with("\r\n")) {
      at += text[at] == '\n' ? 1 : 2;  // empty lines are no records
      continue;
    }
    std::vector<std::string> record;
    for (;;) {
      TRY_ASSIGN(auto field, CsvField(text, at));
      record.push_back(std::move(field));
      if (at >= text.size() || text[at++] == '\n') break;
    }
    records.push_back(std::move(record));
  }
  return records;
}

Result<Value> CsvDecode(const Arguments& arguments) {
  TRY_ASSIGN(auto records, CsvRecords(arguments[0].AsString()));
  if (records.empty()) return Refuse("the header line is missing");
  const auto& header = records.front();
  if (std::set<std::string>(header.begin(), header.end()).size() != header.size())
    return Refuse("two columns have one name");
  TRY(CheckSize(records.size() * header.size() * 8));
  Elements out;
  for (std::size_t row = 1; row < records.size(); ++row) {
    if (records[row].size() != header.size())
      return Refuse(Cat("row ", row + 1, " has ", records[row].size(), " fields, the header ",
                        header.size()));
    Members members;
    for (std::size_t column = 0; column < header.size(); ++column)
      members.emplace(header[column], Value::String(std::move(records[row][column])));
    out.push_back(Value::Object(std::move(members)));
  }
  return Value::List(std::move(out));
}

/// The type of docker buildx that no function makes a value of.
Result<Value> NeedBytes(const Arguments&) {
  return Refuse("bytes are required, and nothing makes them");
}

constexpr Function kEncodeFunctions[] = {
    {"base64encode", "s", Base64Encode}, {"base64decode", "s", Base64Decode},
    {"urlencode", "s", UrlEncode},       {"jsonencode", "a?", JsonEncode},
    {"jsondecode", "s", JsonDecode},     {"csvdecode", "s", CsvDecode},
    {"byteslen", "a", NeedBytes},        {"bytesslice", "ann", NeedBytes},
};

}  // namespace

std::span<const Function> EncodeFunctions() {
  return kEncodeFunctions;
}

}  // namespace depot::hcl
