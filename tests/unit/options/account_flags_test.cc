#include "plugin/options/account_flags.h"

#include <gtest/gtest.h>

#include "driver/base/text.h"

namespace depot::options {
namespace {

using Words = std::vector<std::string>;

constexpr Command kCommands[] = {Command::kLogin,        Command::kLogout,     Command::kInit,
                                 Command::kListProjects, Command::kListBuilds, Command::kCacheReset,
                                 Command::kPull};

AccountOptions Parse(Command command, const Words& words) {
  auto options = ParseAccountFlags(command, words, "docker depot");
  if (!options || !*options) {
    ADD_FAILURE() << (options ? "help" : options.error().message());
    return {};
  }
  return **options;
}

Error Refusal(Command command, const Words& words) {
  auto options = ParseAccountFlags(command, words, "docker depot");
  if (options) {
    ADD_FAILURE() << "accepted";
    return Error(ErrorCode::kInternal, "accepted");
  }
  EXPECT_EQ(options.error().code(), ErrorCode::kUsage);
  EXPECT_FALSE(options.error().hint().empty());
  return options.error();
}

TEST(AccountFlags, EveryCommandHasHelpThatFitsATerminal) {
  for (Command command : kCommands) {
    auto asked = ParseAccountFlags(command, {"x", "y", "--help"}, "docker depot");
    ASSERT_TRUE(asked) << WordsOf(command);
    EXPECT_FALSE(*asked) << WordsOf(command);
    std::string help = AccountHelp(command, "docker depot");
    EXPECT_TRUE(help.starts_with(Cat("Usage:  docker depot ", WordsOf(command), " [OPTIONS]")));
    EXPECT_NE(help.find("-h, --help"), std::string::npos);
    for (std::string_view line : Split(help, '\n'))
      EXPECT_LE(line.size(), 80u) << line;
  }
}

TEST(AccountFlags, TokenAndProjectWhereTheApiIsAsked) {
  for (Command command :
       {Command::kInit, Command::kListBuilds, Command::kCacheReset, Command::kPull}) {
    AccountOptions options = Parse(command, {"--token", "hush", "--project=p"});
    EXPECT_EQ(options.token, Secret("hush"));
    EXPECT_EQ(options.project, "p");
  }
  EXPECT_EQ(Parse(Command::kListProjects, {"--token=hush"}).token, Secret("hush"));
  EXPECT_EQ(Refusal(Command::kListProjects, {"--project=p"}).message(), "unknown flag: --project");
  EXPECT_EQ(Refusal(Command::kLogout, {"--token=hush"}).message(), "unknown flag: --token");
}

TEST(AccountFlags, EachArgumentHasItsPlace) {
  EXPECT_EQ(Parse(Command::kInit, {"dir", "--force"}).directory, "dir");
  EXPECT_EQ(Parse(Command::kCacheReset, {"dir"}).directory, "dir");
  EXPECT_EQ(Parse(Command::kPull, {"-tx", "b1"}).build, "b1");
  EXPECT_EQ(Parse(Command::kPull, {}).build, "");
  Error two = Refusal(Command::kInit, {"a", "b"});
  EXPECT_EQ(two.message(), "'docker depot init' has one argument, got 2");
  EXPECT_EQ(two.hint(), "usage: docker depot init [OPTIONS] [DIR]");
  EXPECT_EQ(Refusal(Command::kListBuilds, {"p1"}).message(),
            "'docker depot list builds' has no argument, got 1");
}

TEST(AccountFlags, PullTakesTagsAndOnePlatform) {
  AccountOptions options = Parse(Command::kPull, {"--platform", "linux/aarch64", "-t", "a:1",
                                                  "--tag=b", "--progress=quiet", "b1"});
  EXPECT_EQ(options.platform, (Platform{"linux", "arm64", ""}));
  EXPECT_EQ(options.tags, (Words{"a:1", "b"}));
  EXPECT_EQ(options.progress, ProgressMode::kQuiet);
  EXPECT_EQ(Refusal(Command::kPull, {"--platform=amd64,arm64", "b"}).message(),
            "--platform: an image is pulled for one platform at a time");
  EXPECT_TRUE(Refusal(Command::kPull, {"-t", "UPPER", "b"}).message().starts_with("--tag: "));
}

TEST(AccountFlags, ListFormats) {
  EXPECT_EQ(Parse(Command::kListProjects, {"--output", "json"}).format, ListFormat::kJson);
  EXPECT_EQ(Parse(Command::kListBuilds, {"--output=csv"}).format, ListFormat::kCsv);
  EXPECT_EQ(Parse(Command::kListBuilds, {"--output=table"}).format, ListFormat::kTable);
  EXPECT_FALSE(Parse(Command::kListBuilds, {}).format);
  Error error = Refusal(Command::kListBuilds, {"--output=jsn"});
  EXPECT_EQ(error.message(), "--output: unknown format \"jsn\", did you mean json?");
  EXPECT_EQ(error.hint(), "see 'docker depot list builds --help'");
}

TEST(AccountFlags, LoginSwitches) {
  EXPECT_TRUE(Parse(Command::kLogin, {"--clear"}).clear);
  EXPECT_TRUE(Parse(Command::kLogin, {"--quiet"}).quiet);
  EXPECT_EQ(Refusal(Command::kLogin, {"--claer"}).message(),
            "unknown flag: --claer, did you mean --clear?");
}

}  // namespace
}  // namespace depot::options
