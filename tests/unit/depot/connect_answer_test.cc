#include "driver/depot/connect_answer.h"

#include <gtest/gtest.h>

#include "driver/base/text.h"

namespace depot::api {
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

}  // namespace
}  // namespace depot::api
