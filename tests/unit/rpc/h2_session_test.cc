#include "driver/rpc/h2_session.h"

#include <gtest/gtest.h>
#include <nghttp2/nghttp2.h>

#include "driver/rpc/frame_batch.h"
#include "driver/rpc/server.h"
#include "tests/unit/rpc/session_pair.h"

namespace depot::rpc {
namespace {

using test::SessionPair;
using namespace std::chrono_literals;

const Headers kRequest = {
    {":method", "POST"}, {":scheme", "http"}, {":path", "/t.T/X"}, {":authority", "localhost"}};
const Headers kResponse = {{":status", "200"}, {"content-type", "application/grpc"}};

TEST(H2Session, CarriesACallBothWays) {
  SessionPair pair;
  auto call = pair.client.Open(kRequest);
  pair.client.Send(*call, test::Message("question"));
  pair.client.EndSend(*call, std::nullopt);
  pair.Talk();
  ASSERT_EQ(pair.server_events.requests.size(), 1u);
  auto served = pair.server_events.requests[0];
  EXPECT_EQ(served->headers[2], kRequest[2]);
  EXPECT_EQ(pair.server.TakeMessage(*served), "question");
  EXPECT_TRUE(served->remote_closed);

  pair.server.Respond(*served, kResponse);
  pair.server.Send(*served, test::Message("answer"));
  pair.server.EndSend(*served, Headers{{"grpc-status", "0"}});
  pair.Talk();
  EXPECT_EQ(pair.client.TakeMessage(*call), "answer");
  EXPECT_EQ(pair.client.TakeMessage(*call), std::nullopt);
  EXPECT_EQ(call->trailers, (Headers{{"grpc-status", "0"}}));
  EXPECT_TRUE(call->closed);
  EXPECT_EQ(pair.client_events.ended.size(), 1u);
  EXPECT_FALSE(pair.client.failure());
}

TEST(H2Session, BytesMayArriveOneByOne) {
  SessionPair pair;
  auto call = pair.client.Open(kRequest);
  pair.client.Send(*call, test::Message("question"));
  std::string bytes = pair.Take(pair.client);
  for (char byte : bytes)
    pair.server.Receive({&byte, 1}, pair.now);
  H2Events events = pair.server.TakeEvents();
  ASSERT_EQ(events.requests.size(), 1u);
  ASSERT_EQ(events.arrived.size(), 1u);
  EXPECT_EQ(pair.server.TakeMessage(*events.requests[0]), "question");
}

TEST(H2Session, TellsOfRoomOnlyWhenASenderWants) {
  SessionPair pair;
  auto call = pair.client.Open(kRequest);
  pair.Talk();
  pair.client.Send(*call, test::Message(std::string(200'000, 'x')));
  pair.Talk();
  EXPECT_TRUE(pair.client_events.drained.empty());
  call->wants_room = true;
  pair.client.Send(*call, test::Message(std::string(200'000, 'x')));
  pair.Talk();
  EXPECT_EQ(pair.client_events.drained.size(), 1u);
  EXPECT_FALSE(call->wants_room);
}

TEST(H2Session, AnswersAPingAMillisecondLate) {
  SessionPair pair;
  pair.Talk();
  constexpr std::string_view kPing("\0\0\x8\6\0\0\0\0\0pingpong", 17);
  pair.server.Receive(kPing, pair.now);
  EXPECT_TRUE(pair.server.WantsWrite());
  EXPECT_EQ(pair.server.pings_due(), pair.now + 1ms);
  EXPECT_EQ(pair.Take(pair.server), "");
  pair.now += 1ms;
  EXPECT_NE(pair.Take(pair.server).find("pingpong"), std::string::npos);
  EXPECT_FALSE(pair.server.pings_due());
}

TEST(H2Session, AFailureEndsEveryStreamOnce) {
  SessionPair pair;
  auto first = pair.client.Open(kRequest);
  auto second = pair.client.Open(kRequest);
  pair.Talk();
  pair.client.End(Error(ErrorCode::kUnavailable, "the first reason"));
  pair.client.End(Error(ErrorCode::kInternal, "another"));
  H2Events events = pair.client.TakeEvents();
  EXPECT_EQ(events.ended.size(), 2u);
  EXPECT_TRUE(events.failed);
  EXPECT_EQ(pair.client.failure()->message(), "the first reason");
  EXPECT_TRUE(first->closed && second->closed);
  EXPECT_TRUE(pair.client.Open(kRequest)->closed);
  EXPECT_EQ(pair.Take(pair.client), "");
}

TEST(H2Session, AStreamIsResetOnce) {
  SessionPair pair;
  auto call = pair.client.Open(kRequest);
  pair.Talk();
  pair.client.Reset(*call, NGHTTP2_CANCEL);
  pair.client.Reset(*call, NGHTTP2_INTERNAL_ERROR);
  pair.Talk();
  EXPECT_EQ(pair.client_events.ended.size(), 1u);
  ASSERT_EQ(pair.server_events.ended.size(), 1u);
  EXPECT_EQ(pair.server_events.ended[0]->reset_code, std::uint32_t{NGHTTP2_CANCEL});
}

}  // namespace
}  // namespace depot::rpc
