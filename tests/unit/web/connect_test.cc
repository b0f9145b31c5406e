#include "pool/web/connect.h"

#include <gtest/gtest.h>

#include "driver/base/encode.h"
#include "driver/base/json.h"

namespace depot::web::connect_test {
namespace {

using namespace std::string_literals;
using namespace std::string_view_literals;

Request WithBody(std::string content_type, std::string body) {
  Request request;
  request.headers.emplace_back("content-type", std::move(content_type));
  request.body = Secret(std::move(body));
  return request;
}

std::string Message(std::string_view payload, char flags = 0) {
  std::string out(1, flags);
  for (int shift = 24; shift >= 0; shift -= 8)
    out.push_back(static_cast<char>(payload.size() >> shift));
  return out + std::string(payload);
}

/// The JSON of an answer that is one end-of-stream envelope.
Json EndOf(const Response& response) {
  std::string_view body = response.body.Reveal();
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.content_type, "application/connect+proto");
  EXPECT_EQ(body.substr(0, 4), "\x02\0\0\0"sv);
  EXPECT_EQ(static_cast<unsigned char>(body[4]), body.size() - 5);
  auto json = Json::Parse(body.substr(5));
  return json ? *json : Json();
}

TEST(ConnectUnary, TakesTheBareBody) {
  Request request = WithBody("application/proto", "\0bytes"s);
  auto body = UnaryBody(request);
  ASSERT_TRUE(std::holds_alternative<std::string_view>(body));
  EXPECT_EQ(std::get<std::string_view>(body), "\0bytes"sv);
  request.headers.emplace_back("connect-protocol-version", "1");
  request.headers.emplace_back("content-encoding", "identity");
  EXPECT_TRUE(std::holds_alternative<std::string_view>(UnaryBody(request)));
}

TEST(ConnectUnary, RefusesOtherMediaTypes) {
  for (const char* type :
       {"", "application/json", "application/connect+proto", "application/prot"}) {
    auto body = UnaryBody(WithBody(type, ""));
    ASSERT_TRUE(std::holds_alternative<Response>(body)) << type;
    EXPECT_EQ(std::get<Response>(body).status, 415);
    EXPECT_EQ(std::get<Response>(body).headers[0].second, "application/proto");
  }
}

TEST(ConnectUnary, RefusesCompressionAndOtherVersions) {
  Request request = WithBody("application/proto", "x");
  request.headers.emplace_back("content-encoding", "gzip");
  auto body = UnaryBody(request);
  ASSERT_TRUE(std::holds_alternative<Response>(body));
  EXPECT_EQ(std::get<Response>(body).status, 501);
  request = WithBody("application/proto", "x");
  request.headers.emplace_back("connect-protocol-version", "2");
  body = UnaryBody(request);
  ASSERT_TRUE(std::holds_alternative<Response>(body));
  EXPECT_EQ(std::get<Response>(body).status, 400);
}

TEST(ConnectUnary, AnswersBytesOrAnErrorThatClientsUnderstand) {
  Response answer = UnaryAnswer("\x0a\x00"s);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.content_type, "application/proto");
  EXPECT_EQ(answer.body.Reveal(), "\x0a\x00"sv);

  struct Case {
    RpcCode code;
    int status;
    const char* name;
  };
  for (const Case& c : {Case{RpcCode::kInvalidArgument, 400, "invalid_argument"},
                        Case{RpcCode::kUnauthenticated, 401, "unauthenticated"},
                        Case{RpcCode::kPermissionDenied, 403, "permission_denied"},
                        Case{RpcCode::kNotFound, 404, "not_found"},
                        Case{RpcCode::kFailedPrecondition, 400, "failed_precondition"},
                        Case{RpcCode::kResourceExhausted, 429, "resource_exhausted"},
                        Case{RpcCode::kUnimplemented, 501, "unimplemented"},
                        Case{RpcCode::kUnavailable, 503, "unavailable"},
                        Case{RpcCode::kInternal, 500, "internal"}}) {
    Response failure = UnaryFailure({c.code, "say \"why\"\n"});
    EXPECT_EQ(failure.status, c.status);
    EXPECT_EQ(failure.content_type, "application/json");
    auto json = Json::Parse(failure.body.Reveal());
    ASSERT_TRUE(json);
    EXPECT_EQ((*json)["code"].AsString(), c.name);
    EXPECT_EQ((*json)["message"].AsString(), "say \"why\"\n");
  }
}

TEST(ConnectStream, AnswersAMessageAndItsEnd) {
  Response answer = StreamAnswer("abc");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.content_type, "application/connect+proto");
  EXPECT_EQ(answer.body.Reveal(), "\0\0\0\0\3abc\2\0\0\0\2{}"sv);
  std::string long_message(70'000, 'x');
  EXPECT_EQ(StreamAnswer(long_message).body.Reveal(), Message(long_message) + "\2\0\0\0\2{}"s);
}

TEST(ConnectStream, EndsWithAnError) {
  Json end = EndOf(StreamFailure({RpcCode::kPermissionDenied, "not yours"}));
  EXPECT_EQ(end["error"]["code"].AsString(), "permission_denied");
  EXPECT_EQ(end["error"]["message"].AsString(), "not yours");
}

TEST(ConnectStream, TakesARequestOfOneMessage) {
  auto body = StreamRequestBody(WithBody("application/connect+proto", Message("ask")));
  ASSERT_TRUE(std::holds_alternative<std::string>(body));
  EXPECT_EQ(std::get<std::string>(body), "ask");
  body = StreamRequestBody(WithBody("application/connect+proto", Message("")));
  EXPECT_EQ(std::get<std::string>(body), "");
}

TEST(ConnectStream, RefusesBrokenRequests) {
  auto type = StreamRequestBody(WithBody("application/proto", Message("ask")));
  EXPECT_EQ(std::get<Response>(type).status, 415);
  for (const std::string& body :
       {""s, "\0\0\0\0"s, Message("ask").substr(0, 7), Message("a") + Message("b"),
        Message("ask") + "x", Message("ask", 2), Message("ask", 4), "\0\xff\xff\xff\xff..."s}) {
    auto taken = StreamRequestBody(WithBody("application/connect+proto", body));
    ASSERT_TRUE(std::holds_alternative<Response>(taken)) << Hex(body);
    EXPECT_EQ(EndOf(std::get<Response>(taken))["error"]["code"].AsString(), "invalid_argument");
  }
  auto packed = StreamRequestBody(WithBody("application/connect+proto", Message("ask", 1)));
  EXPECT_EQ(EndOf(std::get<Response>(packed))["error"]["code"].AsString(), "unimplemented");
}

class ConnectMessages : public testing::Test {
 protected:
  std::vector<std::string> got_;
  std::unique_ptr<BodyReader> reader_ = ReadMessages([this](std::string_view message) -> Result<> {
    if (message == "refuse") return Fail(ErrorCode::kDenied, "refused");
    got_.emplace_back(message);
    return {};
  });
};

TEST_F(ConnectMessages, AreTheSameHoweverTheyAreCut) {
  std::string big(200'000, 'b');
  std::string stream = Message("one") + Message("") + Message(big) + Message("two");
  for (std::size_t cut :
       {std::size_t{1}, std::size_t{4}, std::size_t{7}, std::size_t{65'536}, stream.size()}) {
    got_.clear();
    for (std::size_t at = 0; at < stream.size(); at += cut)
      ASSERT_TRUE(reader_->Take(std::string_view(stream).substr(at, cut)));
    EXPECT_EQ(got_, (std::vector<std::string>{"one", "", big, "two"})) << cut;
  }
  EXPECT_EQ(reader_->End().body.Reveal(), "\0\0\0\0\0\2\0\0\0\2{}"sv);
}

TEST_F(ConnectMessages, OfAnEmptyStreamAreNone) {
  EXPECT_EQ(reader_->End().body.Reveal(), "\0\0\0\0\0\2\0\0\0\2{}"sv);
  EXPECT_TRUE(got_.empty());
}

TEST_F(ConnectMessages, MustBeWhole) {
  ASSERT_TRUE(reader_->Take(Message("one") + Message("two").substr(0, 6)));
  EXPECT_EQ(EndOf(reader_->End())["error"]["code"].AsString(), "invalid_argument");
  EXPECT_EQ(got_, std::vector<std::string>{"one"});
}

TEST_F(ConnectMessages, AreRefusedWhenPackedUnknownOrTooLong) {
  EXPECT_FALSE(reader_->Take(Message("x", 1)));
  EXPECT_FALSE(reader_->Take(Message("x", 2)));
  EXPECT_FALSE(reader_->Take("\0\0\x40\0\1"s));
  EXPECT_TRUE(reader_->Take("\0\0\x40\0\0"s));  // 4 MiB to come
  EXPECT_TRUE(got_.empty());
}

TEST_F(ConnectMessages, EndWithTheTakersError) {
  auto taken = reader_->Take(Message("one") + Message("refuse") + Message("two"));
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().message(), "refused");
  EXPECT_EQ(got_, std::vector<std::string>{"one"});
}

}  // namespace
}  // namespace depot::web::connect_test
