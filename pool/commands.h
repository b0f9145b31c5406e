#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "driver/base/environment.h"
#include "driver/base/result.h"
#include "pool/settings/settings.h"

// The library's own name.
namespace CLI {  // NOLINT(readability-identifier-naming)
class App;
}

namespace depot {

/// What a command has to go by besides its own options.
struct Invocation {
  std::string settings_file;
  Environment environment;
  /// Where a command that runs for long writes; each call is one line, from any thread.
  std::function<void(const std::string&line)> out, err;
  /// How wide the terminal is that standard output goes to; 0 = it goes to none.
  std::size_t columns = 0;
};

/// What a command shows when it is done.
struct Output {
  std::string out;  ///< for standard output: the result, also for programs
  std::string err;  ///< for standard error: about it, for people
};

/// One command with its options, ready to run. An Error of kUsage: the command line is wrong.
using Command = std::function<Result<Output>(const Invocation&)>;

/// What the command line says.
struct CommandLine {
  Command command;  ///< `help` and `version` are commands too
  std::string settings_file;
};

/// Takes a command line apart (argv[0] is the program). kUsage names what is wrong, and the nearest
/// right word when there is one. `default_settings` is the settings file unless --config says it.
Result<CommandLine> ParseCommandLine(const std::vector<std::string>& argv,
                                     const std::string& default_settings);

/// Stores a new token where the settings have them: in their file, or in the database that pools
/// share. When it returns, every pool that reads the one or the other knows the token.
Result<> StoreToken(const Invocation& invocation,
                    const settings::Settings& known,
                    const settings::TokenRecord& token);

/// Each adds one command to the program: when the command line names it, parsing sets `chosen`,
/// which must outlive the program.
/// `serve`: runs until SIGTERM or SIGINT.
void AddServe(CLI::App& program, Command& chosen);

/// `front`: runs beside a builder until SIGTERM or SIGINT.
void AddFront(CLI::App& program, Command& chosen);

/// `token create|list|revoke`. A new token is the only line of standard output.
void AddToken(CLI::App& program, Command& chosen);

/// `login approve CODE --user U`.
void AddLogin(CLI::App& program, Command& chosen);

/// `builds list|cancel`.
void AddBuilds(CLI::App& program, Command& chosen);

/// `migrate`.
void AddMigrate(CLI::App& program, Command& chosen);

/// `ca show|server-certificate`.
void AddCa(CLI::App& program, Command& chosen);

}  // namespace depot
