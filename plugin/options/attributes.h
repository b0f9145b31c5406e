#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "driver/base/result.h"
#include "driver/flags/flag_table.h"

namespace depot::options {

// Short names for tables of flags.
constexpr flags::FlagKind kText = flags::FlagKind::kText;
constexpr flags::FlagKind kSwitch = flags::FlagKind::kSwitch;

/// The fields of one CSV record (RFC 4180): "a,b" or `type=local,"dest=a,b"`. A quote that is not
/// closed, or stands inside an unquoted field, is kUsage.
Result<std::vector<std::string>> SplitRecord(std::string_view record);

/// One `key=value`; the key in lower case and without blanks around it.
struct Attribute {
  std::string key;
  std::string value;
};

/// The fields of a record as attributes. A field without "=" is kUsage and named; `what` begins the
/// message ("--secret").
Result<std::vector<Attribute>> ParseAttributes(std::string_view record, std::string_view what);

/// The end of a message about an unknown `word`: ", did you mean x?", or ", known are: a, b" when
/// none of `known` is near.
std::string Suggest(std::string_view word, const std::vector<std::string_view>& known);

/// A mistake on the command line.
Error Usage(std::string message);

/// A mistake in the value of `flag` ("--output").
Error Wrong(std::string_view flag, std::string_view message);

/// The same error as a mistake on the command line, told behind `context` ("--platform").
Error AsUsage(const Error& error, std::string_view context);

}  // namespace depot::options
