#include "plugin/command/invocation.h"

#include <algorithm>
#include <iterator>
#include <string_view>
#include <utility>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/flags/flag_table.h"
#include "plugin/options/attributes.h"

namespace depot::command {
namespace {

constexpr std::string_view kPluginName = "depot";
constexpr std::string_view kBuildxName = "docker-buildx";

/// Commands with the flag --builder.
constexpr std::string_view kWithBuilder[] = {
    "build",      "bake",         "inspect",         "use",       "rm", "stop", "du", "prune",
    "history ls", "history logs", "history inspect", "history rm"};

struct GlobalLine {
  options::GlobalFlags globals;
  bool help = false;
  bool version = false;
  std::string builder;  ///< buildx takes --builder in front of the command, too
};

flags::FlagSetter Once(std::string_view name, std::string& target) {
  return [name, &target](const std::string& value) -> Result<> {
    if (!target.empty()) return Fail(ErrorCode::kUsage, Cat("give --", name, " only once"));
    target = value;
    return {};
  };
}

std::vector<flags::Flag> GlobalTable(GlobalLine& line) {
  options::GlobalFlags& globals = line.globals;
  constexpr flags::FlagKind kSwitch = flags::FlagKind::kSwitch;
  constexpr flags::FlagKind kText = flags::FlagKind::kText;
  return {
      {"builder", 0, kText, "string", "Builder to use (default $DEPOT_BUILDER)",
       flags::Into(line.builder)},
      {"config", 0, kText, "string", "Location of client config files (default \"~/.docker\")",
       flags::Into(globals.config)},
      {"context", 'c', kText, "string", "Name of the docker context to use",
       flags::Into(globals.context)},
      {"debug", 'D', kSwitch, "", "Enable debug mode", flags::Into(globals.debug)},
      {"help", 'h', kSwitch, "", "Print usage", flags::Into(line.help)},
      {"host", 'H', kText, "string", "Docker Engine to connect to", Once("host", globals.host)},
      {"log-level", 'l', kText, "string", "Set the logging level", flags::Into(globals.log_level)},
      {"tls", 0, kSwitch, "", "Use TLS; implied by --tlsverify", flags::Into(globals.tls)},
      {"tlscacert", 0, kText, "string", "Trust certs signed only by this CA",
       flags::Into(globals.tls_ca)},
      {"tlscert", 0, kText, "string", "Path to TLS certificate file",
       flags::Into(globals.tls_cert)},
      {"tlskey", 0, kText, "string", "Path to TLS key file", flags::Into(globals.tls_key)},
      {"tlsverify", 0, kSwitch, "", "Use TLS and verify the remote",
       flags::Into(globals.tls_verify)},
      {"version", 'v', kSwitch, "", "Print version information", flags::Into(line.version)},
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

/// Commands of the Depot CLI and of docker buildx that are not here, and what does their work.
struct Elsewhere {
  std::string_view words;
  std::string_view instead;
};

constexpr Elsewhere kElsewhereCommands[] = {
    {"dial-stdio",
     "DEPOT_BUILDER names a builder for buildctl as it does for us: buildctl --addr "
     "takes the same address"},
    {"debug", "a step that failed shows its whole output; docker depot build -D says more"},
    {"history trace", "docker depot history logs shows the steps with their times"},
    {"history export", "docker depot history inspect --format json has the record"},
    {"history import", "there is no Docker Desktop here to import into"},
    {"history open", "docker depot history inspect shows the record"},
};

const Elsewhere* FindElsewhere(std::string_view group, std::string_view word) {
  const std::string words = group.empty() ? std::string(word) : Cat(group, ' ', word);
  for (const Elsewhere& one : kElsewhereCommands)
    if (one.words == words) return &one;
  return nullptr;
}

Error UnknownCommand(const std::string& program, std::string_view group, std::string_view word) {
  if (const Elsewhere* elsewhere = FindElsewhere(group, word)) {
    return Error(ErrorCode::kUsage, Cat("there is no command ", elsewhere->words, " here"))
        .WithHint(std::string(elsewhere->instead));
  }
  std::string path = group.empty() ? program : Cat(program, ' ', group);
  return Error(ErrorCode::kUsage, Cat("unknown command: ", path, ' ', Printable(word),
                                      options::Suggest(word, NextWords(group))))
      .WithHint(Cat("see '", path, " --help'"));
}

/// Whether docker was called as `docker build`, `docker image build` or `docker builder build`.
bool IsDockersBuild(const Words& docker) {
  if (docker.empty()) return false;
  GlobalLine line;
  auto words = flags::ParseWords(GlobalTable(line), Rest(docker), flags::Placement::kBeforeWord);
  if (!words || words->empty()) return false;
  const bool grouped = words->front() == "image" || words->front() == "builder";
  return words->size() > (grouped ? 1 : 0) && words->at(grouped ? 1 : 0) == "build";
}

bool AsksForHelp(const Words& words) {
  return words.empty() || words[0] == "--help" || words[0] == "-h" || words[0] == "help";
}

void GiveHelp(Invocation& invocation, Words about) {
  invocation.command = FindCommand("help");
  invocation.arguments = std::move(about);
}

/// Sets command and arguments from COMMAND ... or GROUP COMMAND ...
Result<> TakeCommand(Words words, Invocation& invocation) {
  std::string name = words[0];
  words.erase(words.begin());
  const Command* command = name.find(' ') == std::string::npos ? FindCommand(name) : nullptr;
  const bool two_words = !words.empty() && FindCommand(Cat(name, ' ', words[0])) != nullptr;
  if (command == nullptr && (two_words || !NextWords(name).empty())) {
    if (AsksForHelp(words)) {
      GiveHelp(invocation, {name});
      return {};
    }
    command = FindCommand(Cat(name, ' ', words[0]));
    if (command == nullptr) return Fail(UnknownCommand(invocation.program, name, words[0]));
    words.erase(words.begin());
  }
  if (command == nullptr) return Fail(UnknownCommand(invocation.program, "", name));
  invocation.command = command;
  invocation.arguments = std::move(words);
  return {};
}

/// `help`, `help build`, `help list builds`, and docker's own `help depot build`.
Result<Invocation> AskForHelp(Invocation invocation, Words topics, std::string_view base) {
  GiveHelp(invocation, {});
  TakePluginName(topics, base);
  if (topics.empty() || topics[0] == "help") return invocation;
  TRY(TakeCommand(std::move(topics), invocation));
  if (invocation.command == FindCommand("version")) GiveHelp(invocation, {});
  if (invocation.command != FindCommand("help")) invocation.arguments = {"--help"};
  return invocation;
}

Result<Invocation> ChooseCommand(Invocation invocation,
                                 Words words,
                                 const GlobalLine& line,
                                 std::string_view base) {
  if (line.version) {
    invocation.command = FindCommand("version");
    return invocation;
  }
  if (words.empty()) return AskForHelp(std::move(invocation), {}, base);
  if (words[0] == "help") return AskForHelp(std::move(invocation), Rest(words), base);
  if (words[0] == "docker-cli-plugin-hooks") {
    invocation.request = Request::kHook;
    return invocation;
  }
  if (line.help) return AskForHelp(std::move(invocation), std::move(words), base);
  TRY(TakeCommand(std::move(words), invocation));
  if (line.builder.empty()) return invocation;
  const auto* named =
      std::find(std::begin(kWithBuilder), std::end(kWithBuilder), invocation.command->words);
  if (named == std::end(kWithBuilder)) {
    return Fail(ErrorCode::kUsage, Cat("--builder has no meaning for ", invocation.command->words));
  }
  invocation.arguments.insert(invocation.arguments.begin(), Cat("--builder=", line.builder));
  return invocation;
}

}  // namespace

Result<Invocation> ParseInvocation(const std::vector<std::string>& argv,
                                   const Environment& environment,
                                   const std::vector<std::string>& docker) {
  Invocation invocation;
  std::string base = BaseName(argv);
  invocation.is_buildx = base == kBuildxName;
  Words words = argv.empty() ? Words() : Rest(argv);
  if (!words.empty() && words[0] == "docker-cli-plugin-metadata") {
    invocation.request = Request::kMetadata;
    return invocation;
  }
  if (!words.empty() && (words[0] == "__complete" || words[0] == "__completeNoDesc")) {
    invocation.request =
        words[0] == "__complete" ? Request::kComplete : Request::kCompleteNamesAlone;
    invocation.arguments = Rest(words);
    return invocation;
  }
  bool is_plugin = !Variable(environment, "DOCKER_CLI_PLUGIN_ORIGINAL_CLI_COMMAND").empty();
  invocation.is_docker_build = is_plugin && IsDockersBuild(docker);
  const std::string_view name = invocation.is_buildx ? "buildx" : kPluginName;
  invocation.program = is_plugin ? Cat("docker ", name) : base;

  GlobalLine line;
  std::vector<flags::Flag> table = GlobalTable(line);
  auto parse = [&](const Words& from) -> Result<Words> {
    auto rest = flags::ParseWords(table, from, flags::Placement::kBeforeWord);
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

std::string InWordsOf(const std::string& program, std::string_view hint) {
  constexpr std::string_view kUsual = "docker depot ";
  std::string out;
  for (std::size_t at = 0; (at = hint.find(kUsual)) != std::string_view::npos;) {
    out += Cat(hint.substr(0, at), program, ' ');
    hint.remove_prefix(at + kUsual.size());
  }
  return out.append(hint);
}

std::vector<flags::Flag> GlobalFlags() {
  GlobalLine line;
  return flags::WithoutSetters(GlobalTable(line));
}

}  // namespace depot::command
