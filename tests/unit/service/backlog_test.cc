#include "pool/service/backlog.h"

#include <string>

#include <gtest/gtest.h>

namespace depot::service::backlog_test {
namespace {

/// A backlog whose records can be locked.
class BacklogTest : public ::testing::Test {
 protected:
  Backlog::Write Write(const std::string& name) {
    return [this, name]() -> Result<> {
      if (locked_) return Fail(ErrorCode::kTimeout, "locked");
      if (name == "bad") return Fail(ErrorCode::kUnavailable, "the disk is full");
      done_ += name;
      return {};
    };
  }

  void Flush() {
    backlog_.Flush([this](const Error& error) { failures_ += error.message() + ";"; });
  }

  Backlog backlog_;
  bool locked_ = false;
  std::string done_;
  std::string failures_;
};

TEST_F(BacklogTest, IsEmptyAsLongAsNothingIsLocked) {
  EXPECT_TRUE(backlog_.Do(Write("a")));
  EXPECT_EQ(backlog_.Do(Write("bad")).error().code(), ErrorCode::kUnavailable);
  EXPECT_EQ(done_, "a");
  EXPECT_TRUE(backlog_.empty());
}

TEST_F(BacklogTest, KeepsWhatCannotBeWrittenInItsOrder) {
  locked_ = true;
  EXPECT_TRUE(backlog_.Do(Write("a")));
  Flush();
  EXPECT_FALSE(backlog_.empty());
  locked_ = false;
  EXPECT_TRUE(backlog_.Do(Write("b")));
  EXPECT_TRUE(backlog_.Do(Write("bad")));
  EXPECT_TRUE(backlog_.Do(Write("c")));
  EXPECT_EQ(done_, "") << "nothing overtakes what waits";
  Flush();
  EXPECT_EQ(done_, "abc");
  EXPECT_EQ(failures_, "the disk is full;");
  EXPECT_TRUE(backlog_.empty());
}

TEST_F(BacklogTest, IsBounded) {
  locked_ = true;
  for (int i = 0; i < 10'000; ++i)
    ASSERT_TRUE(backlog_.Do(Write("a")));
  EXPECT_EQ(backlog_.Do(Write("a")).error().code(), ErrorCode::kUnavailable);
}

}  // namespace
}  // namespace depot::service::backlog_test
