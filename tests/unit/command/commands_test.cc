#include <set>

#include <gtest/gtest.h>

#include "driver/base/text.h"
#include "plugin/command/command.h"
#include "plugin/command/help_command.h"
#include "tests/unit/progress/standard_streams.h"

namespace depot::command::commands_test {
namespace {

/// What a command prints on standard output.
std::string Output(const Command& command, std::vector<std::string> arguments) {
  Pipe pipe;
  StreamSwap swap(1, pipe.write.get());
  Terminal terminal;
  Environment environment;
  options::GlobalFlags globals;
  Result<> done = command.run(
      {globals, arguments, "docker depot", "1.2.3", environment, terminal, Cancel::Never()});
  EXPECT_TRUE(done) << command.words << ": " << (done ? "" : done.error().message());
  pipe.write.Reset();
  ::close(1);
  return ReadAll(pipe.read.get());
}

TEST(Commands, EachIsThereOnceAndRunsItsOwn) {
  std::set<std::string_view> words;
  std::set<Result<> (*)(const Call&)> runs;
  for (const Command& command : Commands()) {
    EXPECT_TRUE(words.insert(command.words).second) << command.words;
    ASSERT_NE(command.run, nullptr) << command.words;
    EXPECT_TRUE(runs.insert(command.run).second) << command.words << " runs what another one runs";
    EXPECT_EQ(FindCommand(command.words), &command);
  }
  EXPECT_EQ(FindCommand("cache"), nullptr);
  EXPECT_EQ(FindCommand(""), nullptr);
}

TEST(Commands, TheHelpOfEachIsItsOwnAndFitsATerminal) {
  for (const Command& command : Commands()) {
    if (command.words == "version" || command.words == "help") continue;
    std::string help = Output(command, {"x", "--help"});
    EXPECT_TRUE(help.starts_with(Cat("Usage:  docker depot ", command.words, " [OPTIONS]")))
        << command.words << ": " << help;
    EXPECT_NE(help.find("-h, --help"), std::string::npos) << command.words;
    for (std::string_view line : Split(help, '\n'))
      EXPECT_LE(line.size(), 80u) << line;
  }
}

TEST(Commands, VersionAndHelpPrintThemselves) {
  EXPECT_EQ(Output(*FindCommand("version"), {}), "docker-depot 1.2.3\n");
  EXPECT_EQ(Output(*FindCommand("help"), {}), RootHelp("docker depot"));
  EXPECT_EQ(Output(*FindCommand("help"), {"list"}), GroupHelp("docker depot", "list"));
}

/// Why the command line was refused, before anything was done.
std::string Refusal(std::string_view words, std::vector<std::string> arguments) {
  Terminal terminal;
  Environment environment;
  options::GlobalFlags globals;
  Result<> done = FindCommand(words)->run(
      {globals, arguments, "docker depot", "1", environment, terminal, Cancel::Never()});
  if (done) return "accepted";
  EXPECT_EQ(done.error().code(), ErrorCode::kUsage);
  EXPECT_FALSE(done.error().hint().empty()) << words;
  return done.error().message();
}

TEST(Commands, EachHasTheFlagsThatItCanUse) {
  EXPECT_EQ(Refusal("list projects", {"--project=p"}), "unknown flag: --project");
  EXPECT_EQ(Refusal("logout", {"--token=hush"}), "unknown flag: --token");
  EXPECT_EQ(Refusal("login", {"--claer"}), "unknown flag: --claer, did you mean --clear?");
  EXPECT_EQ(Refusal("list builds", {"p1"}), "'docker depot list builds' has no argument, got 1");
  EXPECT_EQ(Refusal("init", {"a", "b"}), "'docker depot init' has one argument, got 2");
  EXPECT_EQ(Refusal("cache reset", {"a", "b"}),
            "'docker depot cache reset' has one argument, got 2");
  EXPECT_EQ(Refusal("pull", {"--platform=amd64,arm64", "b"}),
            "--platform: an image is pulled for one platform at a time");
  EXPECT_TRUE(Refusal("pull", {"-t", "UPPER", "b"}).starts_with("--tag: "));
  EXPECT_EQ(Refusal("imagetools inspect", {}),
            "'docker depot imagetools inspect' requires 1 argument, the name of an image");
}

TEST(Commands, WordsThatBeginSeveral) {
  EXPECT_EQ(NextWords("list"), (std::vector<std::string_view>{"projects", "builds"}));
  EXPECT_EQ(NextWords("cache"), std::vector<std::string_view>{"reset"});
  EXPECT_TRUE(NextWords("build").empty());
}

}  // namespace
}  // namespace depot::command::commands_test
