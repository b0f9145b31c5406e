#include "driver/depot/connect_answer.h"

#include <gtest/gtest.h>

#include "driver/base/text.h"

namespace depot::api::connect_answer_test {
namespace {

TEST(ConnectAnswer, TokenThatATypeEchoesIsNotShown) {
  const Caller caller{Secret("depot_T0ken"), "DEPOT_TOKEN"};
  const Asked asked{"CreateBuild", "https://api.test", caller};
  for (int status : {200, 401, 500}) {
    http::Response answer;
    answer.status = status;
    answer.headers = {{"content-type", "text/depot_T0ken"}};
    const auto failure = CheckAnswer(asked, answer, "application/proto");
    ASSERT_TRUE(failure);
    const std::string text =
        LowerAscii(Cat(failure->error.message(), failure->error.hint(), failure->reason));
    EXPECT_EQ(text.find("depot_t0ken"), std::string::npos) << text;
  }
}

TEST(ConnectAnswer, AFirewallsWebPageIsNoVerdictAboutTheToken) {
  const Caller caller{Secret("depot_T0ken"), "DEPOT_TOKEN"};
  const Asked asked{"ListProjects", "https://api.test", caller};
  for (int status : {401, 403}) {
    http::Response answer;
    answer.status = status;
    answer.headers = {{"content-type", "text/html; charset=utf-8"}};
    answer.body = "<html>blocked";
    const auto failure = CheckAnswer(asked, answer, "application/proto");
    ASSERT_TRUE(failure);
    EXPECT_EQ(failure->error.message(), Cat("ListProjects: https://api.test answers with status ",
                                            status, " and a web page: this is not a Depot API"));
    EXPECT_EQ(failure->error.hint(), "check DEPOT_API_URL, and what stands between here and there");
    EXPECT_EQ(failure->error.at(), FailedAt::kUnsaid);
  }
}

}  // namespace
}  // namespace depot::api::connect_answer_test
