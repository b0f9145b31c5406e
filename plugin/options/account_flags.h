#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "driver/base/result.h"
#include "driver/base/secret.h"
#include "driver/oci/platform.h"
#include "plugin/options/build_options.h"
#include "plugin/options/invocation.h"

namespace depot::options {

/// How a list is written.
enum class ListFormat { kTable, kCsv, kJson };

/// What the user said to a command of the Depot account; a command only fills what it has flags or
/// arguments for. Nothing here was looked up.
struct AccountOptions {
  Secret token;         ///< --token; empty = not given
  std::string project;  ///< --project; "" = not given
  /// init: where the project file goes; cache reset: where the search for one starts; "" = here.
  std::string directory;
  bool force = false;                ///< init
  bool clear = false;                ///< login
  bool quiet = false;                ///< login
  std::optional<ListFormat> format;  ///< list; unset = by where standard output goes

  std::string build;  ///< pull; "" = not given
  std::optional<Platform> platform;
  std::vector<std::string> tags;
  ProgressMode progress = ProgressMode::kAuto;
};

/// Reads what follows the words of login, logout, init, list projects, list builds, cache reset or
/// pull (the flags are those of depot/cli pkg/cmd). nullopt: --help was asked for. Errors are
/// kUsage with a hint.
Result<std::optional<AccountOptions>> ParseAccountFlags(Command command,
                                                        const std::vector<std::string>& words,
                                                        std::string_view program);

/// What `--help` of such a command prints; at most 80 columns.
std::string AccountHelp(Command command, std::string_view program);

}  // namespace depot::options
