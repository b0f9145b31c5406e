#include "plugin/job/patient_client.h"

#include <gtest/gtest.h>

#include "driver/base/text.h"
#include "tests/unit/session/recording_sink.h"

namespace depot::job::patient_client_test {
namespace {

using std::chrono::milliseconds;

/// An Engine that takes the connection and says nothing until it is left.
class FrozenPeer final : public http::HttpClient {
 public:
  Result<http::Response> Send(const http::Request& request, const Cancel& cancel) override {
    if (request.body_sink) TRY(request.body_sink("the first bytes"));
    if (!cancel.SleepFor(std::chrono::minutes(1))) return Fail(cancel.error());
    return http::Response{200, {}, "late"};
  }
};

/// One that takes a body of many pieces, slower than its silence may last.
class SlowPeer final : public http::HttpClient {
 public:
  Result<http::Response> Send(const http::Request& request, const Cancel& cancel) override {
    for (int i = 0; i < 20; ++i) {
      char byte = 0;
      TRY(request.body_source(&byte, 1));
      if (!cancel.SleepFor(milliseconds(50))) return Fail(cancel.error());
    }
    return http::Response{200, {}, "taken"};
  }
};

http::Request Load() {
  http::Request request;
  request.url = "http://docker/images/load";
  request.peer = "the Docker Engine at unix:///run/docker.sock";
  request.body_source = [](char* into, std::size_t) {
    *into = 'x';
    return Result<std::size_t>(1);
  };
  return request;
}

TEST(PatientClient, AFrozenEngineEndsTheLoadWithAHint) {
  session::RecordingSink sink;
  PatientClient client(std::make_unique<FrozenPeer>(), milliseconds(100));
  client.SayTo(&sink);
  auto answer = client.Send(Load(), Cancel::Never());
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code(), ErrorCode::kTimeout);
  EXPECT_TRUE(answer.error().message().starts_with(
      "the Docker Engine at unix:///run/docker.sock gave no sign of life for "));
  EXPECT_EQ(answer.error().hint(),
            "it took the connection and fell silent: is it stopped, or overloaded?");
}

TEST(PatientClient, SoDoesOneThatStopsInTheMiddleOfItsAnswer) {
  session::RecordingSink sink;
  PatientClient client(std::make_unique<FrozenPeer>(), milliseconds(100));
  client.SayTo(&sink);
  http::Request request;
  request.url = "https://registry.test/v2/a/blobs/x";
  std::string got;
  request.body_sink = [&](std::string_view data) {
    got += data;
    return Result<>();
  };
  auto answer = client.Send(request, Cancel::Never());
  ASSERT_FALSE(answer);
  EXPECT_EQ(got, "the first bytes");
  EXPECT_TRUE(answer.error().message().starts_with("https://registry.test gave no sign of life"));
}

TEST(PatientClient, AnEngineThatTakesItSlowlyIsAlive) {
  session::RecordingSink sink;
  PatientClient client(std::make_unique<SlowPeer>(), std::chrono::seconds(60));
  client.SayTo(&sink);
  auto answer = client.Send(Load(), Cancel::Never());
  ASSERT_TRUE(answer) << answer.error().message();
  EXPECT_EQ(answer->body, "taken");
}

TEST(PatientClient, AWaitForASingleAnswerIsBoundedByWhoAsked) {
  session::RecordingSink sink;
  PatientClient client(std::make_unique<FrozenPeer>(), milliseconds(1));
  client.SayTo(&sink);
  http::Request request;
  request.url = "https://registry.test/v2/";
  auto answer = client.Send(request, Cancel::Never().WithTimeout(milliseconds(100), "ours"));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().message(), "timed out: ours");
}

}  // namespace
}  // namespace depot::job::patient_client_test
