#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "driver/base/result.h"

namespace depot {

/// A command line of depot-pool, taken apart.
struct Arguments {
  std::vector<std::string> words;              ///< what is no option, in order
  std::map<std::string, std::string> options;  ///< "--config" to its value; the last one counts
  bool help = false;                           ///< --help or -h

  /// The option's value, or `otherwise`.
  std::string Option(const std::string& name, const std::string& otherwise = "") const;
};

/// `known` are the options there are; each takes a value, as the next word or after "=". kUsage
/// names an unknown option and the nearest known one.
Result<Arguments> ParseArguments(const std::vector<std::string>& words,
                                 const std::vector<std::string_view>& known);

/// "30d", "12h" or "45m" in seconds; kUsage for anything else, and for more than ten years.
Result<std::int64_t> ParseDuration(const std::string& text);

}  // namespace depot
