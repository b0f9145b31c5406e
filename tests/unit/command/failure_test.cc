#include "plugin/command/failure.h"

#include <gtest/gtest.h>

namespace depot::command::failure_test {
namespace {

int At(FailedAt at) {
  return ExitCode(Error(ErrorCode::kFailed, "x").At(at));
}

TEST(ExitCode, IsTheTableOfTheReadme) {
  EXPECT_EQ(At(FailedAt::kUnsaid), 1);
  EXPECT_EQ(At(FailedAt::kDefect), 100);
  EXPECT_EQ(At(FailedAt::kResources), 102);
  EXPECT_EQ(At(FailedAt::kEnded), 1);
  EXPECT_EQ(At(FailedAt::kSettings), 125);
  EXPECT_EQ(At(FailedAt::kNoBuilder), 110);
  EXPECT_EQ(At(FailedAt::kBuilderLost), 111);
  EXPECT_EQ(At(FailedAt::kAuthentication), 112);
  EXPECT_EQ(At(FailedAt::kRegistry), 113);
  EXPECT_EQ(At(FailedAt::kEngine), 114);
  EXPECT_EQ(ExitCode(Error(ErrorCode::kUsage, "x").At(FailedAt::kNoBuilder)), 125);
  EXPECT_EQ(ExitCode(Error(ErrorCode::kCancelled, "x").At(FailedAt::kNoBuilder)), 130);
  EXPECT_EQ(ExitCode(Error(ErrorCode::kInternal, "x")), 100);
}

TEST(ExitCode, TheFirstWhoKnowsWhereItFailedIsBelieved) {
  Error error =
      Error(ErrorCode::kDenied, "x").At(FailedAt::kAuthentication).At(FailedAt::kRegistry);
  EXPECT_EQ(ExitCode(error), 112);
}

TEST(ExitCode, OfAStepThatIsToBePassedOn) {
  EXPECT_EQ(ExitCode(Error(ErrorCode::kFailed, "x").WithStepExit(42)), 42);
  EXPECT_EQ(ExitCode(Error(ErrorCode::kCancelled, "x").WithStepExit(42)), 130);
}

}  // namespace
}  // namespace depot::command::failure_test
