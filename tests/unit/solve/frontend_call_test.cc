#include "driver/solve/frontend_call.h"

#include <gtest/gtest.h>

#include "driver/base/text.h"

namespace depot::solve::frontend_call_test {
namespace {

TEST(FrontendCall, AQuestionThatNobodyAnswersIsOneShortLine) {
  const rpc::Status unknown{rpc::Code::kUnknown, "unsupported request frontend.lint", ""};
  const LaterFrontend* later = WhoKnows("lint", unknown);
  ASSERT_NE(later, nullptr);
  EXPECT_EQ(WhoKnows("lint", {rpc::Code::kUnknown, "it broke", ""}), nullptr);
  const std::string text =
      Cat("failed with build-arg:BUILDKIT_SYNTAX = ", later->image,
          ": failed to resolve source metadata for docker.io/", later->image,
          ": failed to do request: Head \"https://registry-1.docker.io/v2/\": no such host");
  EXPECT_EQ(WhyNeither("lint", *later, {rpc::Code::kUnknown, text, ""}),
            "a check of the Dockerfile (--check, --lint) needs BuildKit 0.14 (Docker 27) or newer; "
            "this builder is older, and docker/dockerfile:1.8.1, which does it on older ones, "
            "cannot be had: failed to do request: Head \"https://registry-1.docker.io/v2/\": no "
            "such host");
  EXPECT_TRUE(WhyNeither("outline",
                         *WhoKnows("outline", {rpc::Code::kUnknown,
                                               "unsupported request frontend.outline", ""}),
                         unknown)
                  .starts_with("--call=outline needs BuildKit 0.11 (Docker 24) or newer; "));
  EXPECT_TRUE(WhyNeither("lint", *later, {rpc::Code::kUnknown, "x", ""}).ends_with("had: x"));
}

}  // namespace
}  // namespace depot::solve::frontend_call_test
