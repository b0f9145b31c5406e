#include "plugin/job/links.h"

#include <gtest/gtest.h>

#include "driver/base/task_group.h"

namespace depot::job::links_test {
namespace {

TEST(LinkBoard, AResultIsAwaited) {
  LinkBoard board;
  board.Expect("base", 1);
  TaskGroup tasks(Cancel::Never());
  std::string got;
  tasks.Start("user", [&](const Cancel& cancel) -> Result<> {
    TRY_ASSIGN(got, board.Await("base", nullptr, cancel));
    board.Release("base");
    return {};
  });
  board.Publish("base", nullptr, "result");
  EXPECT_TRUE(board.AwaitUsers("base", Cancel::Never()));
  EXPECT_TRUE(tasks.Wait());
  EXPECT_EQ(got, "result");
}

TEST(LinkBoard, AFailureIsItsUsersToo) {
  LinkBoard board;
  board.Fail("base", Error(ErrorCode::kFailed, "target base: no"));
  auto got = board.Await("base", nullptr, Cancel::Never());
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().message(), "target base: no");
}

TEST(LinkBoard, AnotherBuilderHasNoResult) {
  LinkBoard board;
  board.Announce("base", {});
  auto got = board.Await("base", nullptr, Cancel::Never());
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code(), ErrorCode::kUnsupported);
}

}  // namespace
}  // namespace depot::job::links_test
