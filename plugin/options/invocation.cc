#include "plugin/options/invocation.h"

#include <optional>
#include <string_view>
#include <utility>

#include "driver/base/text.h"
#include "plugin/options/attributes.h"
#include "plugin/options/flag_table.h"

namespace depot::options {
namespace {

constexpr std::string_view kPluginName = "depot";

struct GlobalLine {
  GlobalFlags globals;
  bool help = false;
  bool version = false;
  std::string builder;  ///< buildx takes --builder in front of the command, too
};

FlagSetter Once(std::string_view name, std::string& target) {
  return [name, &target](const std::string& value) -> Result<> {
    if (!target.empty()) return Fail(ErrorCode::kUsage, Cat("give --", name, " only once"));
    target = value;
    return {};
  };
}

std::vector<Flag> GlobalTable(GlobalLine& line) {
  GlobalFlags& globals = line.globals;
  constexpr FlagKind kSwitch = FlagKind::kSwitch;
  constexpr FlagKind kText = FlagKind::kText;
  return {
      {"builder", 0, kText, "string", "Builder to use (default $DEPOT_BUILDER)",
       Into(line.builder)},
      {"config", 0, kText, "string", "Location of client config files (default \"~/.docker\")",
       Into(globals.config)},
      {"context", 'c', kText, "string", "Name of the docker context to use", Into(globals.context)},
      {"debug", 'D', kSwitch, "", "Enable debug mode", Into(globals.debug)},
      {"help", 'h', kSwitch, "", "Print usage", Into(line.help)},
      {"host", 'H', kText, "string", "Docker Engine to connect to", Once("host", globals.host)},
      {"log-level", 'l', kText, "string", "Set the logging level", Into(globals.log_level)},
      {"tls", 0, kSwitch, "", "Use TLS; implied by --tlsverify", Into(globals.tls)},
      {"tlscacert", 0, kText, "string", "Trust certs signed only by this CA", Into(globals.tls_ca)},
      {"tlscert", 0, kText, "string", "Path to TLS certificate file", Into(globals.tls_cert)},
      {"tlskey", 0, kText, "string", "Path to TLS key file", Into(globals.tls_key)},
      {"tlsverify", 0, kSwitch, "", "Use TLS and verify the remote", Into(globals.tls_verify)},
      {"version", 'v', kSwitch, "", "Print version information", Into(line.version)},
  };
}

std::string BaseName(const std::vector<std::string>& argv) {
  if (argv.empty()) return std::string(kPluginName);
  return argv[0].substr(argv[0].rfind('/') + 1);
}

using Words = std::vector<std::string>;

Words Rest(const Words& words) {
  return Words(words.begin() + 1, words.end());
}

/// Drops the plugin's own name, which docker puts in front of the command.
bool TakePluginName(Words& words, std::string_view base) {
  if (words.empty()) return false;
  bool named = words[0] == kPluginName || Cat("docker-", words[0]) == base;
  if (named) words.erase(words.begin());
  return named;
}

/// `help`, `help build`, and docker's own `help depot build`.
Result<Invocation> AskForHelp(Invocation invocation, Words topics, std::string_view base) {
  TakePluginName(topics, base);
  if (!topics.empty() && topics[0] == "build") {
    invocation.command = Command::kBuild;
    invocation.arguments = {"--help"};
  }
  return invocation;
}

Error UnknownCommand(const std::string& word, const std::string& program) {
  static const std::vector<std::string_view> known = {"build", "version", "help"};
  return Error(ErrorCode::kUsage,
               Cat("unknown command: ", program, " ", Printable(word), Suggest(word, known)))
      .WithHint(Cat("see '", program, " --help'"));
}

Result<Invocation> ChooseCommand(Invocation invocation,
                                 Words words,
                                 const GlobalLine& line,
                                 std::string_view base) {
  if (line.version) {
    invocation.command = Command::kVersion;
    return invocation;
  }
  if (words.empty()) return invocation;
  std::string word = words[0];
  if (word == "help") return AskForHelp(std::move(invocation), Rest(words), base);
  if (word == "docker-cli-plugin-hooks") {
    invocation.command = Command::kHook;
  } else if (word == "version") {
    invocation.command = Command::kVersion;
  } else if (word == "build") {
    invocation.command = Command::kBuild;
    invocation.arguments = line.help ? Words{"--help"} : Rest(words);
    if (!line.builder.empty()) {
      invocation.arguments.insert(invocation.arguments.begin(), Cat("--builder=", line.builder));
    }
  } else {
    return Fail(UnknownCommand(word, invocation.program));
  }
  return invocation;
}

}  // namespace

std::string Variable(const Environment& environment, const std::string& name) {
  auto found = environment.find(name);
  return found == environment.end() ? "" : found->second;
}

Result<Invocation> ParseInvocation(const std::vector<std::string>& argv,
                                   const Environment& environment) {
  Invocation invocation;
  Words words = argv.empty() ? Words() : Rest(argv);
  if (!words.empty() && words[0] == "docker-cli-plugin-metadata") {
    invocation.command = Command::kMetadata;
    return invocation;
  }
  if (!words.empty() && (words[0] == "__complete" || words[0] == "__completeNoDesc")) {
    invocation.command = Command::kComplete;
    return invocation;
  }
  auto docker = environment.find("DOCKER_CLI_PLUGIN_ORIGINAL_CLI_COMMAND");
  bool is_plugin = docker != environment.end() && !docker->second.empty();
  std::string base = BaseName(argv);
  invocation.program = is_plugin ? Cat("docker ", kPluginName) : base;

  GlobalLine line;
  std::vector<Flag> table = GlobalTable(line);
  auto parse = [&](const Words& from) -> Result<Words> {
    auto rest = ParseWords(table, from, Placement::kBeforeWord);
    if (rest) return rest;
    return Fail(std::move(rest).error().WithHint(Cat("see '", invocation.program, " --help'")));
  };
  TRY_ASSIGN(words, parse(words));
  if (is_plugin && TakePluginName(words, base)) {
    TRY_ASSIGN(words, parse(words));
  }
  invocation.globals = line.globals;
  return ChooseCommand(std::move(invocation), std::move(words), line, base);
}

std::string RootHelp(const std::string& program) {
  GlobalLine line;
  return Cat("Usage:  ", program,
             " [OPTIONS] COMMAND\n\n"
             "Build images on remote BuildKit builders\n\n"
             "Options:\n",
             FormatFlags(GlobalTable(line)),
             "\nCommands:\n"
             "  build       Build an image from a Dockerfile\n"
             "  version     Show version information\n"
             "  help        Show this, or the help of a command\n\n"
             "Run '",
             program, " COMMAND --help' for more information on a command.\n");
}

}  // namespace depot::options
