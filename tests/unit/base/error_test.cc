#include "driver/base/error.h"

#include <cerrno>

#include <gtest/gtest.h>

#include "driver/base/result.h"

namespace depot::error_test {
namespace {

TEST(Error, ContextsReadFromTheOutsideIn) {
  Error error = Error(ErrorCode::kNotFound, "no such file")
                    .While("reading .dockerignore")
                    .While("loading the build context");
  EXPECT_EQ(error.message(), "loading the build context: reading .dockerignore: no such file");
  EXPECT_EQ(error.code(), ErrorCode::kNotFound);
}

TEST(Error, HintAndExcerptStayBesideTheMessage) {
  Error error =
      Error(ErrorCode::kFailed, "cause").WithHint("do this").WithExcerpt("line 1\n").While("work");
  EXPECT_EQ(error.message(), "work: cause");
  EXPECT_EQ(error.hint(), "do this");
  EXPECT_EQ(error.excerpt(), "line 1\n");
}

TEST(SystemError, SaysWhatAndWhyInLowerCase) {
  EXPECT_EQ(SystemError("open /x", ENOENT).message(), "open /x: no such file or directory");
}

TEST(SystemError, KnowsTheKind) {
  EXPECT_EQ(SystemError("x", ENOENT).code(), ErrorCode::kNotFound);
  EXPECT_EQ(SystemError("x", ENOTDIR).code(), ErrorCode::kNotFound);
  EXPECT_EQ(SystemError("x", EACCES).code(), ErrorCode::kDenied);
  EXPECT_EQ(SystemError("x", EROFS).code(), ErrorCode::kDenied);
  EXPECT_EQ(SystemError("x", EEXIST).code(), ErrorCode::kExists);
  EXPECT_EQ(SystemError("x", ETIMEDOUT).code(), ErrorCode::kTimeout);
  EXPECT_EQ(SystemError("x", ECONNREFUSED).code(), ErrorCode::kUnavailable);
  EXPECT_EQ(SystemError("x", EIO).code(), ErrorCode::kFailed);
}

Result<int> Half(int number) {
  if (number % 2 != 0) return Fail(ErrorCode::kInvalid, "odd");
  return number / 2;
}

Result<int> Quarter(int number) {
  TRY_ASSIGN(int half, Half(number));
  TRY(Half(half));
  return Half(half);
}

TEST(Result, TryPassesValuesAndErrorsOn) {
  EXPECT_EQ(Quarter(12).value(), 3);
  ASSERT_FALSE(Quarter(6));
  EXPECT_EQ(Quarter(6).error().message(), "odd");
  EXPECT_EQ(Quarter(7).error().code(), ErrorCode::kInvalid);
}

}  // namespace
}  // namespace depot::error_test
