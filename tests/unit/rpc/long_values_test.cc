#include "driver/rpc/long_values.h"

#include <gtest/gtest.h>
#include <nghttp2/nghttp2.h>

#include "driver/base/text.h"
#include "tests/unit/rpc/session_pair.h"

namespace depot::rpc::long_values_test {
namespace {

using test::SessionPair;
using namespace std::string_literals;

const Headers kRequest = {
    {":method", "POST"}, {":scheme", "http"}, {":path", "/t.T/X"}, {":authority", "localhost"}};
const Headers kResponse = {{":status", "200"}, {"content-type", "application/grpc"}};

/// What a packer makes shorter, and all that a header may have.
std::string Mixed(std::size_t size) {
  std::string text;
  for (std::size_t i = 0; i < size; ++i)
    text.push_back(i % 7 == 0 ? static_cast<char>('!' + i / 7 % 94) : 'a');
  return text;
}

TEST(LongValues, TravelBothWaysAndLeaveTheConnectionAsItWas) {
  SessionPair pair;
  for (const std::size_t size : {40'000u, 70'000u, 1'000'000u, 6'000'000u}) {
    SCOPED_TRACE(size);
    // The short ones are in HPACK's table from the second turn on.
    Headers headers = kRequest;
    headers.emplace_back("before", "kept in the table");
    headers.emplace_back("long", Mixed(size));
    headers.emplace_back("high", std::string(size, '\xFE'));  // longer when packed
    headers.emplace_back("after", "kept, too");
    auto call = pair.client.Open(headers);
    pair.client.EndSend(*call, std::nullopt);
    pair.Talk();
    ASSERT_EQ(pair.server_events.requests.size(), 1u);
    auto served = pair.server_events.requests[0];
    EXPECT_TRUE(served->headers == headers);

    pair.server.Respond(*served, kResponse);
    const Headers trailers = {{"grpc-status", "2"}, {"grpc-status-details-bin", Mixed(size)}};
    pair.server.EndSend(*served, trailers);
    pair.Talk();
    EXPECT_TRUE(call->trailers == trailers);
    EXPECT_TRUE(call->closed);
    EXPECT_FALSE(pair.client.failure());
    EXPECT_FALSE(pair.server.failure());
  }
  pair.client_events = {};
  EXPECT_EQ(pair.client.unfinished(), 0u);
}

TEST(LongValues, MayArriveByteByByte) {
  SessionPair pair;
  Headers headers = kRequest;
  headers.emplace_back("long", Mixed(100'000));
  auto call = pair.client.Open(headers);
  pair.client.Send(*call, test::Message("question"));
  for (const char byte : pair.Take(pair.client))
    pair.server.Receive({&byte, 1}, pair.now);
  H2Events events = pair.server.TakeEvents();
  ASSERT_EQ(events.requests.size(), 1u);
  EXPECT_TRUE(events.requests[0]->headers == headers);
  EXPECT_EQ(pair.server.TakeMessage(*events.requests[0]), "question");
}

TEST(LongValues, BeyondTheBudgetTheLimitIsNamed) {
  SessionPair pair(SessionPair::kLimits, {.message = 1 << 20, .unfinished = 1 << 20});
  Headers headers = kRequest;
  headers.emplace_back("long", std::string(2 << 20, 'X'));
  (void)pair.client.Open(headers);
  pair.Talk();
  ASSERT_TRUE(pair.server.failure());
  EXPECT_EQ(pair.server.failure()->message(),
            "the metadata of a call would exceed the 1 MiB that a peer may have unfinished on one "
            "connection");
  EXPECT_LE(pair.server.unfinished(), 1u << 20);
}

/// A request of one block, in frames of 16 KiB, for a server that has seen nothing yet.
std::string Frames(std::string_view block, std::string_view first_flags = {"\0", 1}) {
  std::string out =
      Cat("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", std::string_view("\0\0\0\4\0\0\0\0\0", 9));
  for (bool first = true; first || !block.empty(); first = false) {
    const std::string_view part = block.substr(0, 16'000);
    block.remove_prefix(part.size());
    out += {'\0', static_cast<char>(part.size() >> 8), static_cast<char>(part.size() & 0xFF)};
    out += first ? '\1' : '\x9';
    out += static_cast<char>((first ? first_flags[0] : 0) | (block.empty() ? 4 : 0));
    out += std::string_view("\0\0\0\1", 4);
    out += part;
  }
  return out;
}

const std::string kBegin("\x83\x86\x04\x06/t.T/X\x01\x01h");  // POST, http, :path, :authority
/// The length 100,000 of a string that is not packed.
const std::string kLength("\x7f\xa1\x8c\x06");

TEST(LongValues, OneThatIsToBeKeptEmptiesTheTable) {
  SessionPair pair;
  const std::string block = kBegin + "\x40\x01x\x01y" +                         // kept: x: y
                            "\x40\x01l" + kLength + std::string(100'000, 'v');  // kept: l: vvv...
  pair.server.Receive(Frames(block), pair.now);
  H2Events events = pair.server.TakeEvents();
  ASSERT_EQ(events.requests.size(), 1u);
  EXPECT_TRUE(events.requests[0]->headers.back() == std::pair("l"s, std::string(100'000, 'v')));
  // The first one that was kept is not there any more.
  const std::string then = kBegin + "\xbe";
  std::string frame = Frames(then).substr(33);
  frame[8] = 3;
  pair.server.Receive(frame, pair.now);
  pair.Talk();
  ASSERT_TRUE(pair.server.failure());
}

TEST(LongValues, PaddingAndPriorityAreNoPartOfTheBlock) {
  SessionPair pair;
  // Flags PADDED and PRIORITY: the length of the padding, five bytes, the block's first bytes, and
  // the padding at the end of the first frame.
  const std::string all = kBegin + "\x10\x01l" + kLength + std::string(100'000, 'v');
  std::string block = std::string("\x03\0\0\0\0\x10", 6) + all.substr(0, 15'991) + "\0\0\0"s;
  ASSERT_EQ(block.size(), 16'000u);
  block += all.substr(15'991);
  pair.server.Receive(Frames(block, "\x28"), pair.now);
  H2Events events = pair.server.TakeEvents();
  ASSERT_EQ(events.requests.size(), 1u);
  EXPECT_TRUE(events.requests[0]->headers.back() == std::pair("l"s, std::string(100'000, 'v')));
  EXPECT_FALSE(events.requests[0]->remote_closed);
}

TEST(LongValues, WhatIsDamagedIsRefusedAsEver) {
  const std::string value(100'000, 'v');
  std::string packed = kBegin + "\x10\x01l" + kLength + std::string(100'000, '\xFF');
  packed[kBegin.size() + 3] = '\xFF';
  for (const std::string& bytes : {
           Frames(packed),                                            // no Huffman code
           Frames(kBegin + "\x10\x01l" + kLength + value.substr(1)),  // cut off
           Frames(kBegin + "\x10" + kLength + value + "\x01v"),       // a long name
           Frames(kBegin + "\x10\x01l\x7f\xff\xff\xff\xff\xff\xff\x01" + value),
           Frames("\x0a" + kBegin + "\x10\x01l" + kLength + value, "\x8"),  // padding
       }) {
    SessionPair pair;
    pair.server.Receive(bytes, pair.now);
    (void)pair.Take(pair.server);
    ASSERT_TRUE(pair.server.failure());
    EXPECT_EQ(pair.server.failure()->message(),
              "the peer sent a header name of more than 64 KiB, or what is not valid HPACK");
    EXPECT_LT(pair.server.unfinished(), 1000u);
  }
}

TEST(LongValues, WhatInterruptsABlockIsRefused) {
  SessionPair pair;
  const std::string block = kBegin + "\x10\x01l" + kLength + std::string(100'000, 'v');
  std::string bytes = Frames(block).substr(0, 33 + 2 * 16'009);
  bytes += std::string_view("\0\0\x8\6\0\0\0\0\0pingpong", 17);
  pair.server.Receive(bytes, pair.now);
  (void)pair.Take(pair.server);
  EXPECT_TRUE(pair.server.failure());
}

}  // namespace
}  // namespace depot::rpc::long_values_test
