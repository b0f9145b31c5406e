#include "driver/rpc/h2_session.h"

#include <gtest/gtest.h>
#include <nghttp2/nghttp2.h>

#include "driver/base/text.h"
#include "driver/rpc/frame_batch.h"
#include "driver/rpc/gzip.h"
#include "driver/rpc/server.h"
#include "tests/unit/rpc/session_pair.h"

namespace depot::rpc::h2_session_test {
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

/// A call whose answers may be packed; a server that says so much of them and then `bytes`.
struct PackedAnswer {
  explicit PackedAnswer(const std::string& bytes, H2Limits limits = SessionPair::kLimits)
      : pair(limits) {
    Headers headers = kRequest;
    headers.emplace_back("grpc-encoding", "gzip");
    call = pair.client.Open(headers);
    pair.Talk();
    H2Stream& served = *pair.server_events.requests.at(0);
    pair.server.Respond(served, kResponse);
    std::string prefix;
    AppendFrame(prefix, bytes.size(), true);
    pair.server.Send(served, {Bytes(prefix + bytes)});
    pair.Talk();
  }

  std::string fault() const { return call->fault ? call->fault->message : ""; }

  SessionPair pair;
  H2Session::StreamPtr call;
};

constexpr std::size_t kHeadersOnly = 500;

std::string Packed(const std::string& text) {
  return GzipPacker().Pack({Bytes(text)});
}

TEST(H2Session, APackedAnswerIsUnpacked) {
  for (const std::string& text : {std::string("short"), std::string(3 << 20, 'x')}) {
    PackedAnswer answer(Packed(text));
    EXPECT_TRUE(answer.pair.client.TakeMessage(*answer.call) == text);
    EXPECT_LT(answer.pair.client.unfinished(), kHeadersOnly);
  }
}

TEST(H2Session, APackedAnswerThatIsNoneIsRefused) {
  const std::string packed = Packed("a message");
  std::string damaged = packed;
  damaged[12] = static_cast<char>(damaged[12] ^ 0x55);
  std::string lies = packed;
  lies[lies.size() - 4] = 1;
  for (const std::string& bytes :
       {std::string(), std::string("short"), packed.substr(0, packed.size() - 1),
        packed + std::string(4, '\0'), packed + packed, damaged, lies}) {
    PackedAnswer answer(bytes);
    EXPECT_EQ(answer.fault(), "a damaged compressed message came") << bytes.size();
    EXPECT_LT(answer.pair.client.unfinished(), kHeadersOnly);
    EXPECT_FALSE(answer.pair.client.failure());
  }
}

TEST(H2Session, WhatAPackedAnswerGrowsToIsBounded) {
  PackedAnswer beyond_message(Packed(std::string((1 << 20) + 1, 'x')),
                              {.message = 1 << 20, .unfinished = 4 << 20});
  EXPECT_EQ(beyond_message.fault(),
            "a message came that unpacks to 1048577 bytes; the limit is 1048576");
  PackedAnswer beyond_budget(Packed(std::string(2 << 20, 'x')),
                             {.message = 4 << 20, .unfinished = 1 << 20});
  EXPECT_NE(beyond_budget.fault().find("a message that unpacks to 2097152 bytes would exceed"),
            std::string::npos)
      << beyond_budget.fault();
  EXPECT_LT(beyond_budget.pair.client.unfinished(), kHeadersOnly);
}

constexpr H2Limits kSmall{.message = 1 << 20, .unfinished = 4 << 20};

TEST(H2Session, MetadataBeyondTheBudgetIsRefusedByName) {
  SessionPair pair(SessionPair::kLimits, kSmall);
  Headers headers = kRequest;
  for (int i = 0; i < 30'000; ++i)
    headers.emplace_back("exclude-patterns", std::string(80, 'p'));
  auto call = pair.client.Open(headers);
  pair.client.EndSend(*call, std::nullopt);
  pair.Talk();
  ASSERT_EQ(pair.server_events.requests.size(), 1u);
  auto served = pair.server_events.requests[0];
  ASSERT_TRUE(served->fault);
  EXPECT_EQ(served->fault->code, Code::kResourceExhausted);
  EXPECT_EQ(served->fault->message,
            "the metadata of /t.T/X, at exclude-patterns, would exceed the 4 MiB that a peer may "
            "have unfinished on one connection");
  EXPECT_LE(pair.server.unfinished(), kSmall.unfinished);
  EXPECT_FALSE(pair.server.failure());
}

TEST(H2Session, UnfinishedMessagesShareOneBudget) {
  SessionPair pair(SessionPair::kLimits, kSmall);
  std::vector<H2Session::StreamPtr> calls;
  for (int i = 0; i < 90; ++i) {
    calls.push_back(pair.client.Open(kRequest));
    BytesList message = test::Message(std::string(1 << 20, 'x'));
    message.back() = message.back().TakeFront((1 << 20) - 1);
    pair.client.Send(*calls.back(), std::move(message));
  }
  pair.Talk();
  EXPECT_LE(pair.server.unfinished(), kSmall.unfinished);
  EXPECT_GT(pair.server.unfinished(), kSmall.unfinished / 2);
  std::size_t refused = 0;
  for (const auto& served : pair.server_events.requests)
    refused += served->fault.has_value() ? 1 : 0;
  EXPECT_GT(refused, 80u);
  EXPECT_LT(refused, 90u);
  // What is reset gives its share back, at the latest when nobody looks at it any more.
  for (const auto& call : calls)
    pair.client.Reset(*call, NGHTTP2_CANCEL);
  pair.Talk();
  pair.server_events = {};
  EXPECT_EQ(pair.server.unfinished(), 0u);
}

TEST(H2Session, WhatIsReadMakesRoom) {
  SessionPair pair(SessionPair::kLimits, kSmall);
  auto call = pair.client.Open(kRequest);
  pair.Talk();
  auto served = pair.server_events.requests.at(0);
  for (int i = 0; i < 20; ++i) {
    pair.client.Send(*call, test::Message(std::string(1 << 20, 'x')));
    pair.Talk();
    ASSERT_EQ(pair.server.TakeMessage(*served), std::string(1 << 20, 'x')) << i;
  }
}

TEST(H2Session, AMessageBeyondTheLimitEndsTheCallAndNotTheConnection) {
  SessionPair pair(kSmall, kSmall);
  auto call = pair.client.Open(kRequest);
  pair.Talk();
  auto served = pair.server_events.requests.at(0);
  pair.server.Respond(*served, kResponse);
  pair.server.Send(*served, test::Message(std::string((1 << 20) + 1, 'x')));
  pair.Talk();
  ASSERT_TRUE(call->fault);
  EXPECT_EQ(call->fault->message, "a message of 1048577 bytes came; the limit is 1048576");
  EXPECT_FALSE(pair.client.TakeMessage(*call));
  EXPECT_TRUE(call->closed);
  EXPECT_TRUE(served->closed);
  EXPECT_FALSE(pair.client.failure());
}

TEST(H2Session, AHeaderThatTheLibraryCannotTakeIsSaid) {
  SessionPair pair;
  Headers headers = kRequest;
  headers.emplace_back(std::string(100'000, 'x'), "long");
  (void)pair.client.Open(headers);
  pair.Talk();
  ASSERT_TRUE(pair.server.failure());
  EXPECT_EQ(pair.server.failure()->message(),
            "the peer sent a header name of more than 64 KiB, or what is not valid HPACK");
}

TEST(H2Session, APeerThatAsksAndDoesNotReadIsLeft) {
  SessionPair pair;
  pair.server.Receive(
      Cat("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", std::string_view("\0\0\0\4\0\0\0\0\0", 9)), pair.now);
  // Each request beyond the limit of streams is answered with RST_STREAM until the peer has
  // acknowledged the limit, which this one never does.
  for (int i = 0; i < 11'000; ++i) {
    int id = 2 * i + 1;
    std::string frame("\0\0\3\1\5\0\0\0\0\x83\x86\x84", 12);
    frame[7] = static_cast<char>(id >> 8);
    frame[8] = static_cast<char>(id & 0xFF);
    pair.server.Receive(frame, pair.now);
  }
  ASSERT_TRUE(pair.server.failure());
  EXPECT_EQ(pair.server.failure()->message(), "the peer asks for more than it reads");
}

}  // namespace
}  // namespace depot::rpc::h2_session_test
