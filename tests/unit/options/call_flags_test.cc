#include "plugin/options/call_flags.h"

#include <gtest/gtest.h>

namespace depot::options::call_flags_test {
namespace {

FrontendCall Call(std::string_view text) {
  auto call = ParseCall("--call", text);
  if (call) return *call;
  ADD_FAILURE() << call.error().message();
  return {};
}

std::string Refusal(std::string_view text) {
  auto call = ParseCall("--call", text);
  if (call) return "accepted";
  EXPECT_EQ(call.error().code(), ErrorCode::kUsage);
  EXPECT_TRUE(call.error().message().starts_with("--call: ")) << call.error().message();
  return call.error().message();
}

TEST(CallFlags, MethodFormatAndStatus) {
  EXPECT_EQ(Call("outline").method, "outline");
  EXPECT_EQ(Call("check").method, "lint");
  EXPECT_EQ(Call("subrequests.describe").method, "subrequests.describe");
  EXPECT_EQ(Call("build").method, "");
  FrontendCall full = Call("format=json,ignorestatus=1,lint");
  EXPECT_EQ(full.method, "lint");
  EXPECT_TRUE(full.json && full.ignore_status);
  EXPECT_FALSE(Call("lint,format=text,ignorestatus=false").json);
}

TEST(CallFlags, WhatIsNoCallIsSaid) {
  EXPECT_EQ(Refusal(""), "--call: the method is missing");
  EXPECT_EQ(Refusal("format=json"), "--call: the method is missing");
  EXPECT_NE(Refusal("outline,targets").find("two methods"), std::string::npos);
  EXPECT_NE(Refusal("outline,format=yaml").find("text or json"), std::string::npos);
  EXPECT_NE(Refusal("outline,ignorestatus=x").find("true or false"), std::string::npos);
  EXPECT_NE(Refusal("outline,fromat=json").find("did you mean format?"), std::string::npos);
}

TEST(CallFlags, SeveritiesOfLint) {
  EXPECT_EQ(*ParseLintFailure("Warn"), LintFailure::kWarning);
  EXPECT_EQ(*ParseLintFailure("info"), LintFailure::kWarning);
  EXPECT_EQ(*ParseLintFailure("error"), LintFailure::kError);
  EXPECT_EQ(*ParseLintFailure("none"), LintFailure::kNone);
  EXPECT_FALSE(ParseLintFailure("never"));
}

}  // namespace
}  // namespace depot::options::call_flags_test
