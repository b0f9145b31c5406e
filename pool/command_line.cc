#include <algorithm>

#include <CLI/CLI.hpp>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "pool/commands.h"

namespace depot {
namespace {

constexpr const char* kAbout =
    "The Depot API on machines of your own: it checks tokens and gives builds to BuildKit "
    "builders.";
constexpr const char* kFooter =
    "--config FILE says where the settings are: otherwise DEPOT_POOL_CONFIG, or "
    "/etc/depot-pool/pool.yaml.\nExit codes: 0 done, 1 it failed, 2 the command line is wrong.";

std::vector<const CLI::App*> VerbsOf(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App* verb) { return !verb->get_group().empty(); });
}

bool IsShown(const CLI::Option* option) {
  return !option->get_group().empty() && option->get_name() != "--help" &&
         option->get_name() != "--config";
}

/// How a command is written: "token create [--project P] ...".
std::string UsageOf(const CLI::App& app) {
  std::string usage;
  for (const CLI::App* part = &app; part->get_parent() != nullptr; part = part->get_parent())
    usage = Cat(part->get_name(), usage.empty() ? "" : " ", usage);
  for (bool positional : {true, false}) {
    for (const CLI::Option* option : app.get_options(IsShown)) {
      if (option->get_positional() != positional) continue;
      std::string text = option->get_name(positional);
      // A switch has none.
      const std::string type = positional ? "" : option->get_type_name();
      if (!type.empty()) text += Cat(' ', type);
      if (option->get_expected_max() > 1) text += "...";
      usage += option->get_required() ? Cat(' ', text) : Cat(" [", text, ']');
    }
  }
  return usage;
}

/// CLI11's help, but a list of commands has whole ones.
class Help final : public CLI::Formatter {
 public:
  std::string make_usage(const CLI::App* app, std::string /*name*/) const override {
    std::string usage = UsageOf(*app);
    const bool has_verbs = !VerbsOf(*app).empty();
    return Cat("\nUsage: depot-pool", usage.empty() ? "" : " ", usage, has_verbs ? " COMMAND" : "",
               "\n");
  }

  std::string make_subcommands(const CLI::App* app, CLI::AppFormatMode /*mode*/) const override {
    const std::string commands = CommandsOf(*app);
    return commands.empty() ? "" : Cat("\nCommands:\n", commands);
  }

 private:
  static std::string CommandsOf(const CLI::App& app) {
    std::string commands;
    for (const CLI::App* verb : VerbsOf(app)) {
      commands += VerbsOf(*verb).empty()
                      ? Cat("  ", UsageOf(*verb), "\n      ", verb->get_description(), '\n')
                      : CommandsOf(*verb);
    }
    return commands;
  }
};

/// The command that the line has got to, as far as it is right.
const CLI::App& Deepest(const CLI::App& program) {
  const CLI::App* app = &program;
  while (!app->get_subcommands().empty())
    app = app->get_subcommands().back();
  return *app;
}

std::string SeeHelp(const CLI::App& app) {
  std::string path;
  for (const CLI::App* part = &app; part->get_parent() != nullptr; part = part->get_parent())
    path = Cat(' ', part->get_name(), path);
  return Cat("see depot-pool", path, " --help");
}

Error Unknown(std::string_view what,
              const std::string& word,
              const std::vector<std::string>& known,
              const CLI::App& app) {
  const std::string_view near = Nearest(word, {known.begin(), known.end()});
  return Error(ErrorCode::kUsage, Cat("unknown ", what, ' ', Printable(word)))
      .WithHint(near.empty() ? SeeHelp(app) : Cat("did you mean ", near, '?'));
}

Error UnknownOption(const std::string& word, const CLI::App& app) {
  std::vector<std::string> known;
  for (const CLI::App* part = &app; part != nullptr; part = part->get_parent()) {
    for (const CLI::Option* option : part->get_options()) {
      if (option->nonpositional()) known.push_back(option->get_name());
    }
  }
  return Unknown("option", word.substr(0, word.find('=')), known, app);
}

/// What nobody expected says more than what is missing because of it.
Error Explain(const CLI::ParseError& failure, const CLI::App& program) {
  const CLI::App& app = Deepest(program);
  const std::vector<std::string> rest = program.remaining(true);
  const auto option = std::find_if(rest.begin(), rest.end(), [](const std::string& word) {
    return word.starts_with('-') && word.find_first_not_of('-') != std::string::npos;
  });
  if (option != rest.end()) return UnknownOption(*option, app);
  std::vector<std::string> verbs;
  for (const CLI::App* verb : VerbsOf(app))
    verbs.push_back(verb->get_name());
  if (!rest.empty() && !verbs.empty()) return Unknown("command", rest.front(), verbs, app);
  if (!rest.empty()) {
    return Error(ErrorCode::kUsage, Cat(Printable(rest.front()), " is one word too many"))
        .WithHint(Cat("usage: depot-pool ", UsageOf(app)));
  }
  if (!verbs.empty()) {
    return Error(ErrorCode::kUsage,
                 Cat("the command is not complete: ", app.get_name(), ' ', Join(verbs, " or ")))
        .WithHint(SeeHelp(app));
  }
  return Error(ErrorCode::kUsage, Printable(failure.what()))
      .WithHint(Cat("usage: depot-pool ", UsageOf(app)));
}

Command Show(std::string text) {
  return [text = std::move(text)](const Invocation&) -> Result<Output> { return Output{text, ""}; };
}

void AddCommands(CLI::App& program, Command& chosen) {
  AddServe(program, chosen);
  AddToken(program, chosen);
  AddLogin(program, chosen);
  AddBuilds(program, chosen);
  AddMigrate(program, chosen);
  AddCa(program, chosen);
  AddFront(program, chosen);
  program.add_subcommand("version", "which depot-pool this is")->callback([&chosen] {
    chosen = Show("depot-pool " DEPOT_VERSION "\n");
  });
  program.add_subcommand("help", "this list")->callback([&program, &chosen] {
    const CLI::App& all = program;
    chosen = Show(Help().make_help(&all, "", CLI::AppFormatMode::Normal));
  });
}

}  // namespace

Result<CommandLine> ParseCommandLine(const std::vector<std::string>& argv,
                                     const std::string& default_settings) {
  CommandLine line;
  line.settings_file = default_settings;
  CLI::App program(kAbout, "depot-pool");
  program.formatter(std::make_shared<Help>());
  program.footer(kFooter);
  program.fallthrough();
  program.require_subcommand(0, 1);
  program.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  program.set_help_flag("-h,--help", "what this command does, and its options");
  program.add_option("--config", line.settings_file, "the settings")->type_name("FILE");
  AddCommands(program, line.command);
  std::vector<const char*> words;
  for (const std::string& word : argv)
    words.push_back(word.c_str());
  try {
    program.parse(static_cast<int>(words.size()), words.data());
  } catch (const CLI::CallForHelp& asked) {
    // There is no help about what there is not.
    if (!program.remaining(true).empty()) return Fail(Explain(asked, program));
    line.command = Show(program.help());
  } catch (const CLI::ParseError& failure) {
    return Fail(Explain(failure, program));
  }
  if (!line.command && program.get_subcommands().empty()) line.command = Show(program.help());
  if (!line.command) return Fail(Explain(CLI::RequiredError("a command"), program));
  return line;
}

}  // namespace depot
