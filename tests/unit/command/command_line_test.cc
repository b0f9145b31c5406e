#include "plugin/command/command_line.h"

#include <gtest/gtest.h>

#include "plugin/command/account.h"
#include "plugin/command/listing.h"

namespace depot::command::command_line_test {
namespace {

/// A command with every kind of flag that several of them share.
class CommandLineTest : public ::testing::Test {
 protected:
  Result<bool> Read(const std::vector<std::string>& words) {
    return ReadCommandLine(
        {.words = "list things",
         .description = "Lists things.",
         .flags = {TokenFlag(token_), ProjectFlag(project_), FormatFlag(format_)},
         .argument = has_argument_ ? "[DIR]" : "",
         .target = has_argument_ ? &directory_ : nullptr},
        {globals_, words, "docker depot", "1", environment_, terminal_, Cancel::Never()});
  }

  Error Refusal(const std::vector<std::string>& words) {
    Result<bool> read = Read(words);
    if (read) {
      ADD_FAILURE() << "accepted";
      return Error(ErrorCode::kInternal, "accepted");
    }
    EXPECT_EQ(read.error().code(), ErrorCode::kUsage);
    EXPECT_FALSE(read.error().hint().empty());
    return read.error();
  }

  bool has_argument_ = true;
  Secret token_;
  std::string project_;
  std::optional<ListFormat> format_;
  std::string directory_;
  options::GlobalFlags globals_;
  Environment environment_;
  Terminal terminal_;
};

TEST_F(CommandLineTest, FlagsAndTheArgumentAreRead) {
  ASSERT_TRUE(Read({"--token", "hush", "dir", "--project=p", "--output", "json"}));
  EXPECT_EQ(token_, Secret("hush"));
  EXPECT_EQ(project_, "p");
  EXPECT_EQ(directory_, "dir");
  EXPECT_EQ(format_, ListFormat::kJson);
}

TEST_F(CommandLineTest, TooManyArgumentsAreAnErrorWithTheUsage) {
  Error two = Refusal({"a", "b"});
  EXPECT_EQ(two.message(), "'docker depot list things' has one argument, got 2");
  EXPECT_EQ(two.hint(), "usage: docker depot list things [OPTIONS] [DIR]");
  has_argument_ = false;
  EXPECT_EQ(Refusal({"a"}).message(), "'docker depot list things' has no argument, got 1");
}

TEST_F(CommandLineTest, UnknownWordsNameTheNearest) {
  Error format = Refusal({"--output=jsn"});
  EXPECT_EQ(format.message(), "--output: unknown format \"jsn\", did you mean json?");
  EXPECT_EQ(format.hint(), "see 'docker depot list things --help'");
  EXPECT_EQ(Refusal({"--tokn=x"}).message(), "unknown flag: --tokn, did you mean --token?");
}

}  // namespace
}  // namespace depot::command::command_line_test
