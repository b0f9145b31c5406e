#include "plugin/command/listing.h"

#include <algorithm>
#include <ctime>

#include "driver/base/json.h"
#include "driver/base/shown.h"
#include "driver/base/tab_columns.h"
#include "driver/base/text.h"
#include "plugin/options/attributes.h"

namespace depot::command {
namespace {

std::string Cell(std::string_view text) {
  std::string shown = Printable(text);
  std::replace(shown.begin(), shown.end(), '\t', ' ');
  return shown;
}

std::string Upper(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  });
  return text;
}

std::string TableOf(const Listing& listing) {
  std::vector<std::vector<std::string>> lines = {listing.headings};
  std::transform(lines[0].begin(), lines[0].end(), lines[0].begin(), Upper);
  std::vector<std::size_t> widths(listing.headings.size(), 0);
  for (const auto& row : listing.rows) {
    lines.emplace_back();
    for (const std::string& cell : row)
      lines.back().push_back(Cell(cell));
  }
  for (const auto& line : lines) {
    for (std::size_t i = 0; i < line.size(); ++i)
      widths[i] = std::max(widths[i], ColumnsOf(line[i]));
  }
  std::string out;
  for (const auto& line : lines) {
    std::string text;
    for (std::size_t i = 0; i < line.size(); ++i)
      text += Cat(line[i], std::string(widths[i] - ColumnsOf(line[i]) + 3, ' '));
    out += Cat(text.substr(0, text.find_last_not_of(' ') + 1), '\n');
  }
  return out;
}

std::string Quoted(std::string_view text) {
  bool plain = text.find_first_of(",\"\r\n") == std::string_view::npos && !text.starts_with(' ') &&
               !text.starts_with('\t');
  if (plain) return std::string(text);
  std::string out = "\"";
  for (char c : text)
    out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + '"';
}

std::string CsvOf(const Listing& listing) {
  if (listing.rows.empty()) return "";
  std::string out;
  auto add = [&](const std::vector<std::string>& cells) {
    std::vector<std::string> fields;
    for (std::size_t i = 0; i < cells.size(); ++i) {
      if (!listing.keys[i].empty()) fields.push_back(Quoted(cells[i]));
    }
    out += Cat(Join(fields, ","), '\n');
  };
  add(listing.headings);
  for (const auto& row : listing.rows)
    add(row);
  return out;
}

std::string JsonOf(const Listing& listing) {
  Json array = Json::Array();
  for (const auto& row : listing.rows) {
    Json object = Json::Object();
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (listing.keys[i].empty()) continue;
      object.Set(listing.keys[i],
                 listing.numbers[i]
                     ? Json::Number(static_cast<std::int64_t>(ParseDecimal(row[i]).value_or(0)))
                     : Json::String(row[i]));
    }
    array.Append(std::move(object));
  }
  return array.Dump(2) + '\n';
}

Result<ListFormat> ParseFormat(const std::string& value) {
  static const std::vector<std::string_view> known = {"table", "csv", "json"};
  if (value == "table") return ListFormat::kTable;
  if (value == "csv") return ListFormat::kCsv;
  if (value == "json") return ListFormat::kJson;
  return Fail(ErrorCode::kUsage, Cat("--output: unknown format \"", Printable(value), "\"",
                                     options::Suggest(value, known)));
}

}  // namespace

flags::Flag FormatFlag(std::optional<ListFormat>& format) {
  return {"output",
          0,
          flags::FlagKind::kText,
          "string",
          "Format: \"table\", \"csv\", \"json\" (default \"table\" on a terminal, else \"csv\")",
          flags::Parsed(format, ParseFormat)};
}

std::string FormatListing(const Listing& listing, ListFormat format) {
  if (format == ListFormat::kCsv) return CsvOf(listing);
  return format == ListFormat::kJson ? JsonOf(listing) : TableOf(listing);
}

Result<> WriteListing(const Listing& listing,
                      const std::optional<ListFormat>& said,
                      const Call& call) {
  ListFormat otherwise = call.terminal.output_is_terminal() ? ListFormat::kTable : ListFormat::kCsv;
  return call.terminal.WriteResult(FormatListing(listing, said.value_or(otherwise)), call.cancel);
}

std::string FormatTime(std::int64_t seconds_since_1970) {
  if (seconds_since_1970 == 0) return "";
  std::time_t time = seconds_since_1970;
  std::tm parts{};
  char text[64];
  if (::gmtime_r(&time, &parts) == nullptr) return "";
  return {text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

}  // namespace depot::command
