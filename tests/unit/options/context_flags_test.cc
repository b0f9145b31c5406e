#include "plugin/options/context_flags.h"

#include <gtest/gtest.h>

namespace depot::options::context_flags_test {
namespace {

TEST(ContextFlags, Words) {
  EXPECT_EQ(*ParseContextTimes("x", "content"), ContextTimes::kContent);
  EXPECT_EQ(*ParseContextTimes("x", "file"), ContextTimes::kFile);
  auto wrong = ParseContextTimes("--context-times", "mtime");
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code(), ErrorCode::kUsage);
}

TEST(ContextFlags, TheFlagCountsBeforeTheVariable) {
  ContextOptions options;
  EXPECT_EQ(*WantedContextTimes(options, {}), std::nullopt);
  const Environment environment = {{"DEPOT_CONTEXT_TIMES", " content\n"}};
  EXPECT_EQ(*WantedContextTimes(options, environment), ContextTimes::kContent);
  options.times = ContextTimes::kFile;
  EXPECT_EQ(*WantedContextTimes(options, environment), ContextTimes::kFile);
  EXPECT_FALSE(WantedContextTimes({}, {{"DEPOT_CONTEXT_TIMES", "x"}}));
}

TEST(ContextFlags, ModesAreGitsOrTheFiles) {
  ContextOptions options;
  const auto read = [&](const char* value) {
    return flags::ParseWords(ContextFlags(options), {"--normalize-modes", value},
                             flags::Placement::kAnywhere);
  };
  ASSERT_TRUE(read("git"));
  EXPECT_TRUE(options.git_modes);
  ASSERT_TRUE(read("off"));
  EXPECT_FALSE(options.git_modes);
  EXPECT_EQ(read("on").error().code(), ErrorCode::kUsage);
}

}  // namespace
}  // namespace depot::options::context_flags_test
