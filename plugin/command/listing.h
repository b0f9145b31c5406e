#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "driver/flags/flag_table.h"
#include "plugin/command/command.h"

namespace depot::command {

/// How a list is written.
enum class ListFormat { kTable, kCsv, kJson };

/// --output; unset = by where standard output goes.
flags::Flag FormatFlag(std::optional<ListFormat>& format);

/// Rows under headings, for people and for programs. All rows have as many cells as headings.
struct Listing {
  std::vector<std::string> headings;  ///< of the table and of CSV
  std::vector<std::string> keys;      ///< of JSON; "" = a column that JSON and CSV leave out
  std::vector<bool> numbers;          ///< of JSON: the cell is a whole number
  std::vector<std::vector<std::string>> rows;
};

/// As a table (aligned, headings in capitals, control characters made visible), as CSV (RFC 4180
/// with line feeds; no heading when there is no row, as the official client has it), or as a JSON
/// array of objects. Ends in a newline when it is not empty.
std::string FormatListing(const Listing& listing, ListFormat format);

/// Prints it on standard output; a table for people when no format was said.
Result<> WriteListing(const Listing& listing,
                      const std::optional<ListFormat>& said,
                      const Call& call);

/// RFC 3339 in UTC; "" for 0.
std::string FormatTime(std::int64_t seconds_since_1970);

}  // namespace depot::command
