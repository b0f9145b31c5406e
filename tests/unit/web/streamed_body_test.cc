#include <atomic>
#include <mutex>

#include <gtest/gtest.h>

#include "pool/web/server.h"
#include "tests/unit/web/raw_client.h"

namespace depot::web::streamed_body_test {
namespace {

using namespace std::chrono_literals;
using test::Chunk;
using test::ChunkedHead;
using test::Echo;
using test::Eventually;
using test::Get;
using test::RawClient;
using test::Reply;
using test::Serve;

/// What became of the one streamed body of a test.
struct Seen {
  std::mutex mutex;
  std::string body;
  std::atomic<std::size_t> bytes = 0;
  std::atomic<int> taking = 0;
  std::atomic<bool> overlapped = false;
  std::atomic<bool> ended = false;
  std::atomic<bool> destroyed = false;
  std::atomic<bool> hold = false;  // Take() does not return
};

class Recorder final : public BodyReader {
 public:
  explicit Recorder(Seen& seen) : seen_(seen) {}
  ~Recorder() override { seen_.destroyed = true; }

  Result<> Take(std::string_view piece) override {
    if (++seen_.taking > 1) seen_.overlapped = true;
    (void)Eventually([&] { return !seen_.hold; });
    std::lock_guard lock(seen_.mutex);
    seen_.body.append(piece);
    seen_.bytes += piece.size();
    --seen_.taking;
    if (seen_.body.find("bad") != std::string::npos) {
      return Fail(ErrorCode::kInvalid, "this is bad");
    }
    return {};
  }

  Response End() override {
    seen_.ended = true;
    std::lock_guard lock(seen_.mutex);
    Response response;
    response.body = Secret("got " + seen_.body.substr(0, 100));
    return response;
  }

 private:
  Seen& seen_;
};

class StreamedBody : public testing::Test {
 protected:
  StreamedBody() {
    routes_.guarded[{"POST", "/s"}] = [this](const Request& head, const Cancel&) -> Entrance {
      if (head.Header("authorization") == "no") return Response{401, "", {}, Secret("no")};
      return std::make_unique<Recorder>(seen_);
    };
    routes_.whole[{"GET", "/a"}] = Echo;
  }

  Seen seen_;
  Routes routes_;
};

TEST_F(StreamedBody, IsTakenAsItComes) {
  auto server = Serve(routes_);
  RawClient client(server->port());
  client.Send(ChunkedHead("/s") + Chunk("one "));
  ASSERT_TRUE(Eventually([&] { return seen_.bytes == 4; }));
  client.Send(Chunk("two "));
  ASSERT_TRUE(Eventually([&] { return seen_.bytes == 8; }));
  EXPECT_FALSE(seen_.ended);
  EXPECT_EQ(client.Ask("0\r\n\r\n").body, "got one two ");
  EXPECT_EQ(client.Ask(Get("/a")).body, "GET /a ");
  EXPECT_EQ(client.Ask("POST /s HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nok").body,
            "got one two ok");
  EXPECT_EQ(client.Ask("PUT /s HTTP/1.1\r\nHost: x\r\n\r\n").headers["allow"], "POST");
}

TEST_F(StreamedBody, WaitsForItsReader) {
  auto server = Serve(routes_);
  RawClient client(server->port());
  seen_.hold = true;
  client.Send(ChunkedHead("/s"));
  // What fits into the kernel's buffers is sent; then the server must take no more.
  std::string chunk = Chunk(std::string(256 << 10, 'x'));
  std::size_t sent = 0;
  int idle = 0;
  std::string_view left = chunk;
  while (idle < 50 && sent < std::size_t{100} << 20) {
    ssize_t put = ::send(client.socket(), left.data(), left.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    idle = put > 0 ? 0 : idle + 1;
    if (put <= 0) (void)Cancel::Never().SleepFor(10ms);
    if (put <= 0) continue;
    sent += static_cast<std::size_t>(put);
    left.remove_prefix(static_cast<std::size_t>(put));
    if (left.empty()) left = chunk;
  }
  EXPECT_LT(sent, std::size_t{100} << 20);
  seen_.hold = false;
  ASSERT_TRUE(client.Send(left));
  EXPECT_EQ(client.Ask("0\r\n\r\n").status, 200);
  EXPECT_FALSE(seen_.overlapped);
  EXPECT_EQ(seen_.bytes % (256 << 10), 0U);
}

TEST_F(StreamedBody, EndsWithTheReadersError) {
  auto server = Serve(routes_);
  RawClient client(server->port());
  client.Send(ChunkedHead("/s") + Chunk("a bad thing"));
  Reply reply = client.Read();
  EXPECT_EQ(reply.status, 400);
  EXPECT_EQ(reply.body, "this is bad\n");
  EXPECT_TRUE(client.AtEnd());
  EXPECT_FALSE(seen_.ended);
}

TEST_F(StreamedBody, CanBeRefusedByItsHead) {
  auto server = Serve(routes_);
  RawClient client(server->port());
  client.Send(
      "POST /s HTTP/1.1\r\nHost: x\r\nAuthorization: no\r\nExpect: 100-continue\r\n"
      "Transfer-Encoding: chunked\r\n\r\n");
  Reply reply = client.Read();
  EXPECT_EQ(reply.status, 401);
  EXPECT_EQ(reply.headers["connection"], "close");
  EXPECT_TRUE(client.AtEnd());
}

TEST_F(StreamedBody, IsDroppedWithItsClient) {
  auto server = Serve(routes_);
  {
    RawClient client(server->port());
    client.Send(ChunkedHead("/s") + Chunk("half"));
    ASSERT_TRUE(Eventually([&] { return seen_.bytes == 4; }));
  }
  EXPECT_TRUE(Eventually([&] { return seen_.destroyed.load(); }));
  EXPECT_FALSE(seen_.ended);
}

TEST_F(StreamedBody, HasASizeLimit) {
  Limits limits;
  limits.body_bytes = 1000;
  auto server = Serve(routes_, limits);
  RawClient client(server->port());
  client.Send(ChunkedHead("/s"));
  for (int i = 0; i < 64; ++i)
    client.Send(Chunk(std::string(1000, 'x')));
  ASSERT_TRUE(Eventually([&] { return seen_.bytes == 64'000; }));
  EXPECT_EQ(client.Ask(Chunk("x")).status, 413);
  EXPECT_EQ(RawClient(server->port())
                .Ask("POST /s HTTP/1.1\r\nHost: x\r\nContent-Length: 64001\r\n\r\n")
                .status,
            413);
}

TEST_F(StreamedBody, MustNotPauseTooLong) {
  Limits limits;
  limits.request = 1s;
  limits.piece = 2s;
  auto server = Serve(routes_, limits);
  RawClient client(server->port());
  client.Send(ChunkedHead("/s"));
  for (int i = 0; i < 5; ++i) {  // longer than `request` altogether
    (void)Cancel::Never().SleepFor(400ms);
    client.Send(Chunk("x"));
  }
  EXPECT_EQ(client.Read().status, 408);
  EXPECT_EQ(seen_.bytes, 5U);
  EXPECT_FALSE(seen_.ended);
}

}  // namespace
}  // namespace depot::web::streamed_body_test
