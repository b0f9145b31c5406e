#include "driver/solve/wire.h"

#include <limits>

#include <gtest/gtest.h>

#include "proto/control.pb.h"
#include "proto/gateway.pb.h"

namespace depot::solve::wire_test {
namespace {

namespace control = moby::buildkit::v1;

class Collecting final : public EventSink {
 public:
  void Emit(Event event) override { events.push_back(std::move(event)); }
  std::vector<Event> events;
};

TEST(EmitStatus, TellsWhatTheMessageSays) {
  control::StatusResponse message;
  auto* vertex = message.add_vertexes();
  vertex->set_digest("sha256:1");
  vertex->set_name("RUN x");
  vertex->mutable_started()->set_seconds(1'700'000'000);
  vertex->mutable_started()->set_nanos(5);
  message.add_logs()->set_msg("hello");
  message.add_warnings()->set_short_text("careful");
  Collecting sink;
  ASSERT_TRUE(EmitStatus(message.SerializeAsString(), sink));
  ASSERT_EQ(sink.events.size(), 3U);
  const auto& first = std::get<Vertex>(sink.events[0]);
  EXPECT_EQ(first.name, "RUN x");
  EXPECT_EQ(first.started->time_since_epoch().count(), 1'700'000'000'000'000'005);
  EXPECT_EQ(std::get<VertexLog>(sink.events[1]).data, "hello");
  EXPECT_EQ(std::get<VertexWarning>(sink.events[2]).short_text, "careful");
}

TEST(EmitStatus, WhatCameWithTheCallIsNotCached) {
  control::StatusResponse message;
  for (const char* name : {"[internal] load build definition from Dockerfile",
                           "[internal] load .dockerignore", "[2/2] COPY a /"}) {
    auto* vertex = message.add_vertexes();
    vertex->set_name(name);
    vertex->set_cached(true);
  }
  Collecting sink;
  ASSERT_TRUE(EmitStatus(message.SerializeAsString(), sink));
  std::vector<bool> cached;
  for (const Event& event : sink.events)
    cached.push_back(std::get<Vertex>(event).cached);
  EXPECT_EQ(cached, (std::vector<bool>{false, false, true}));
}

TEST(EmitStatus, NumbersOfAStrangerStayInTheirRange) {
  constexpr auto kMost = std::numeric_limits<std::int64_t>::max();
  control::StatusResponse message;
  for (std::int64_t seconds : {kMost, -kMost, kMost / 1'000'000'000}) {
    auto* vertex = message.add_vertexes();
    vertex->mutable_started()->set_seconds(seconds);
    vertex->mutable_started()->set_nanos(-2'000'000'000);
    vertex->mutable_completed()->set_seconds(-seconds);
    vertex->mutable_completed()->set_nanos(2'000'000'000);
  }
  auto* status = message.add_statuses();
  status->set_current(-5);
  status->set_total(-kMost);
  auto* range = message.add_warnings()->add_ranges();
  range->mutable_start()->set_line(-1);
  range->mutable_end()->set_line(std::numeric_limits<std::int32_t>::max());
  Collecting sink;
  ASSERT_TRUE(EmitStatus(message.SerializeAsString(), sink));
  for (std::size_t i = 0; i < 3; ++i) {
    const auto& vertex = std::get<Vertex>(sink.events[i]);
    auto low = std::min(*vertex.started, *vertex.completed).time_since_epoch();
    auto high = std::max(*vertex.started, *vertex.completed).time_since_epoch();
    EXPECT_GE(low.count(), 0);
    EXPECT_LT(high, std::chrono::hours(24 * 365 * 131)) << "the sum of two fits into 64 bits";
  }
  EXPECT_EQ(std::get<VertexStatus>(sink.events[3]).current, 0);
  EXPECT_EQ(std::get<VertexStatus>(sink.events[3]).total, 0);
  EXPECT_EQ(std::get<VertexWarning>(sink.events[4]).ranges.front().start_line, 0);
  EXPECT_EQ(std::get<VertexWarning>(sink.events[4]).ranges.front().end_line, 1 << 30);
}

/// Counts, as what is emitted would take gigabytes.
class Counting final : public EventSink {
 public:
  void Emit(Event /*event*/) override { ++count; }
  std::size_t count = 0;
};

TEST(EmitStatus, EmptyEntriesAreTakenOneAtATime) {
  std::string message;
  for (std::size_t i = 0; i < 2'000'000; ++i)
    message += std::string_view("\x0a\0", 2);
  Counting sink;
  EXPECT_TRUE(EmitStatus(message, sink));
  EXPECT_EQ(sink.count, 2'000'000U);
}

TEST(EmitStatus, RefusesWhatIsMalformedOrTooLarge) {
  Counting sink;
  EXPECT_FALSE(EmitStatus("\xff\xff\xff", sink));
  EXPECT_FALSE(EmitStatus("\x0a\x05x", sink));
  control::StatusResponse message;
  message.add_vertexes()->set_name(std::string(5 << 20, 'x'));
  EXPECT_FALSE(EmitStatus(message.SerializeAsString(), sink));
  EXPECT_EQ(sink.count, 0U);
}

TEST(EncodeSolve, CachesGoWhereDaemonAndFrontendLookForThem) {
  BuildRequest request;
  request.internal = true;
  request.cache_imports = {{"registry", {{"ref", "h/a:b"}}}, {"local", {{"src", "c\"d"}}}};
  request.cache_exports = {{"inline", {}}};
  control::SolveRequest solve;
  ASSERT_TRUE(solve.ParseFromString(EncodeControlSolve(request, "ref", "session")));
  EXPECT_TRUE(solve.internal());
  ASSERT_EQ(solve.cache().imports_size(), 2);
  EXPECT_EQ(solve.cache().imports(0).attrs().at("ref"), "h/a:b");
  ASSERT_EQ(solve.cache().exports_size(), 1);
  EXPECT_EQ(solve.cache().exports(0).type(), "inline");
  const std::string attribute =
      R"([{"Attrs":{"ref":"h/a:b"},"Type":"registry"},{"Attrs":{"src":"c\"d"},"Type":"local"}])";
  EXPECT_EQ(solve.frontend_attrs().at("cache-imports"), attribute);
  control::frontend::SolveRequest gateway;
  ASSERT_TRUE(gateway.ParseFromString(EncodeGatewaySolve(request)));
  EXPECT_EQ(gateway.frontend_opt().at("cache-imports"), attribute);
}

TEST(EncodeSolve, WithoutCachesNothingIsSaidOfThem) {
  control::SolveRequest solve;
  ASSERT_TRUE(solve.ParseFromString(EncodeControlSolve({}, "ref", "session")));
  EXPECT_TRUE(solve.has_cache());
  EXPECT_FALSE(solve.frontend_attrs().contains("cache-imports"));
}

}  // namespace
}  // namespace depot::solve::wire_test
