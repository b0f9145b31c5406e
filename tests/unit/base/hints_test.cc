#include "driver/base/hints.h"

#include <gtest/gtest.h>

namespace depot::hints_test {
namespace {

TEST(JoinHints, BehindAQuestionASentenceBegins) {
  EXPECT_EQ(JoinHints("log in", "or wait"), "log in; or wait");
  EXPECT_EQ(JoinHints("is it there?", "with y it is z"), "is it there? With y it is z");
  EXPECT_EQ(JoinHints("is it there?", "--z skips this"), "is it there? --z skips this");
  EXPECT_EQ(JoinHints("", "or wait"), "or wait");
  EXPECT_EQ(JoinHints("is it there?", ""), "is it there?");
}

}  // namespace
}  // namespace depot::hints_test
