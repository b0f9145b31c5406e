#include "plugin/options/account_flags.h"

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/flags/flag_table.h"
#include "plugin/options/attributes.h"
#include "plugin/options/flag_values.h"

namespace depot::options {
namespace {

constexpr flags::FlagKind kSwitch = flags::FlagKind::kSwitch;
constexpr flags::FlagKind kText = flags::FlagKind::kText;

struct AccountLine {
  AccountOptions options;
  bool help = false;
};

/// The one argument that a command may have, and what it does.
struct Shape {
  std::string_view argument;  ///< as the usage shows it; "" = none
  std::string AccountOptions::*target = nullptr;
  std::string_view description;
};

Shape ShapeOf(Command command) {
  switch (command) {
    case Command::kLogin:
      return {"", nullptr, "Log in to Depot: approve it in the browser, on any machine"};
    case Command::kLogout:
      return {"", nullptr, "Remove the stored login from this machine"};
    case Command::kInit:
      return {"[DIR]", &AccountOptions::directory,
              "Write DIR/depot.json, so that builds of that folder belong to a project"};
    case Command::kListProjects:
      return {"", nullptr, "List the projects that the token opens"};
    case Command::kListBuilds:
      return {"", nullptr, "List the newest builds of a project"};
    case Command::kCacheReset:
      return {"[PATH]", &AccountOptions::directory,
              "Empty the build cache of a project: --project, or that of PATH"};
    default:
      return {"BUILD", &AccountOptions::build,
              "Bring the image of a build made with --save into the Docker Engine"};
  }
}

Result<ListFormat> ParseFormat(const std::string& value) {
  static const std::vector<std::string_view> known = {"table", "csv", "json"};
  if (value == "table") return ListFormat::kTable;
  if (value == "csv") return ListFormat::kCsv;
  if (value == "json") return ListFormat::kJson;
  return Fail(ErrorCode::kUsage,
              Cat("--output: unknown format \"", Printable(value), "\"", Suggest(value, known)));
}

Result<Platform> ParseOnePlatform(const std::string& value) {
  TRY_ASSIGN(std::vector<Platform> platforms, ParsePlatforms(value));
  if (platforms.size() == 1) return platforms.front();
  return Fail(ErrorCode::kUsage, "--platform: an image is pulled for one platform at a time");
}

std::vector<flags::Flag> PullFlags(AccountOptions& options) {
  return {
      {"platform", 0, kText, "string", "Pull the image of this platform, as in \"linux/arm64\"",
       flags::Parsed(options.platform, ParseOnePlatform)},
      {"progress", 0, kText, "string",
       "Set type of progress output: \"auto\", \"plain\", \"quiet\" (default \"auto\")",
       flags::Parsed(options.progress, ParseProgress)},
      {"tag", 't', kText, "list", "Name the image so in the Engine (format: \"name:tag\")",
       flags::Added(options.tags, ParseTag)},
  };
}

std::vector<flags::Flag> OwnFlags(Command command, AccountOptions& options) {
  if (command == Command::kLogin) {
    return {{"clear", 0, kSwitch, "", "Remove the stored login first", flags::Into(options.clear)},
            {"quiet", 0, kSwitch, "", "Say nothing when logged in already",
             flags::Into(options.quiet)}};
  }
  if (command == Command::kInit) {
    return {{"force", 0, kSwitch, "", "Replace a project file that is there already",
             flags::Into(options.force)}};
  }
  if (command == Command::kListProjects || command == Command::kListBuilds) {
    return {{"output", 0, kText, "string",
             "Format: \"table\", \"csv\", \"json\" (default \"table\" on a terminal, else \"csv\")",
             flags::Parsed(options.format, ParseFormat)}};
  }
  return command == Command::kPull ? PullFlags(options) : std::vector<flags::Flag>();
}

std::vector<flags::Flag> TableOf(Command command, AccountLine& line) {
  AccountOptions& options = line.options;
  std::vector<flags::Flag> table = OwnFlags(command, options);
  table.push_back({"help", 'h', kSwitch, "", "Print usage", flags::Into(line.help)});
  bool uses_api = command != Command::kLogin && command != Command::kLogout;
  if (uses_api)
    table.push_back({"token", 0, kText, "string", kTokenHelp, flags::Into(options.token)});
  if (uses_api && command != Command::kListProjects) {
    std::string_view help = command == Command::kInit
                                ? "ID of the project"
                                : "ID of the project (default $DEPOT_PROJECT_ID, or depot.json)";
    table.push_back({"project", 0, kText, "string", help, flags::Into(options.project)});
  }
  return table;
}

std::string UsageOf(Command command, std::string_view program) {
  std::string_view argument = ShapeOf(command).argument;
  return Cat(program, ' ', WordsOf(command), " [OPTIONS]", argument.empty() ? "" : " ", argument);
}

Result<std::optional<AccountOptions>> Parse(Command command,
                                            const std::vector<std::string>& words,
                                            std::string_view program) {
  AccountLine line;
  TRY_ASSIGN(auto arguments,
             flags::ParseWords(TableOf(command, line), words, flags::Placement::kAnywhere));
  if (line.help) return std::nullopt;
  Shape shape = ShapeOf(command);
  if (arguments.size() > (shape.target == nullptr ? 0u : 1u)) {
    return Fail(Error(ErrorCode::kUsage, Cat("'", program, ' ', WordsOf(command), "' has ",
                                             shape.target == nullptr ? "no" : "one",
                                             " argument, got ", arguments.size()))
                    .WithHint(Cat("usage: ", UsageOf(command, program))));
  }
  if (!arguments.empty() && shape.target != nullptr) {
    line.options.*shape.target = arguments.front();
  }
  return std::move(line.options);
}

}  // namespace

Result<std::optional<AccountOptions>> ParseAccountFlags(Command command,
                                                        const std::vector<std::string>& words,
                                                        std::string_view program) {
  auto options = Parse(command, words, program);
  if (options || !options.error().hint().empty()) return options;
  return Fail(std::move(options).error().WithHint(
      Cat("see '", program, ' ', WordsOf(command), " --help'")));
}

std::string AccountHelp(Command command, std::string_view program) {
  AccountLine line;
  return Cat("Usage:  ", UsageOf(command, program), "\n\n", ShapeOf(command).description,
             "\n\nOptions:\n", flags::FormatFlags(TableOf(command, line)));
}

}  // namespace depot::options
