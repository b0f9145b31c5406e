#include "plugin/progress/event_queue.h"

#include <algorithm>
#include <string>

#include <gtest/gtest.h>

#include "driver/base/task_group.h"
#include "driver/base/text.h"

namespace depot::event_queue_test {
namespace {

using namespace std::chrono_literals;

Vertex Running(const std::string& digest, std::int64_t at) {
  Vertex vertex;
  vertex.digest = digest;
  vertex.name = digest;
  vertex.started = Timestamp(std::chrono::nanoseconds(at));
  return vertex;
}

Vertex Ended(const std::string& digest, std::int64_t from, std::int64_t to) {
  Vertex vertex = Running(digest, from);
  vertex.completed = Timestamp(std::chrono::nanoseconds(to));
  return vertex;
}

std::size_t Lines(const EventBatch& batch, const std::string& digest, std::size_t* dropped) {
  std::size_t lines = 0;
  for (const auto& [vertex, chunk] : batch.logs) {
    if (vertex != digest) continue;
    *dropped += chunk.dropped_lines;
    lines += static_cast<std::size_t>(std::count(chunk.data.begin(), chunk.data.end(), '\n'));
  }
  return lines;
}

TEST(EventQueue, KeepsOnlyTheLatestNewsOfAVertexAndAStatus) {
  EventQueue queue;
  queue.Emit(Running("a", 1));
  queue.Emit(VertexStatus{"x", "a", "", 1, 9, {}, {}, {}});
  queue.Emit(VertexStatus{"x", "a", "", 5, 9, {}, {}, {}});
  queue.Emit(Ended("a", 1, 2));
  EventBatch batch = queue.Take();
  ASSERT_EQ(batch.vertices.size(), 1u);
  EXPECT_FALSE(batch.vertices[0].completed);
  ASSERT_EQ(batch.ends.size(), 1u);
  EXPECT_TRUE(batch.ends[0].completed);
  ASSERT_EQ(batch.statuses.size(), 1u);
  EXPECT_EQ(batch.statuses[0].current, 5);
}

TEST(EventQueue, KeepsBothRunsOfARestartedVertex) {
  EventQueue queue;
  queue.Emit(Ended("a", 1, 2));
  queue.Emit(Running("a", 5));
  EventBatch batch = queue.Take();
  ASSERT_EQ(batch.vertices.size(), 2u);
  EXPECT_TRUE(batch.vertices[0].completed);
  EXPECT_FALSE(batch.vertices[1].completed);
  EXPECT_TRUE(batch.ends.empty());
}

TEST(EventQueue, AnEndWaitsForTheLastLogs) {
  EventQueue queue;
  queue.Emit(Running("a", 1));
  for (int i = 0; i < 3; ++i) {
    queue.Emit(VertexLog{"a", {}, 1, std::string(EventQueue::kSliceBytes * 3 / 4, 'x') + "\n"});
  }
  queue.Emit(Ended("a", 1, 2));
  std::size_t bytes = 0;
  int takes = 0;
  while (true) {
    EventBatch batch = queue.Take();
    ++takes;
    for (const auto& [vertex, chunk] : batch.logs)
      bytes += chunk.data.size();
    ASSERT_LT(takes, 10);
    if (!batch.ends.empty()) break;
  }
  EXPECT_GT(takes, 1);
  EXPECT_EQ(bytes, 3 * (EventQueue::kSliceBytes * 3 / 4 + 1));
}

TEST(EventQueue, AFloodDropsItsOwnOldestLinesAndNothingElse) {
  EventQueue queue;
  queue.Emit(Running("loud", 1));
  queue.Emit(Running("calm", 1));
  queue.Emit(VertexLog{"calm", {}, 1, "one line\n"});
  const std::string line(99, 'x');
  const std::size_t count = 500'000;
  for (std::size_t i = 0; i < count; ++i)
    queue.Emit(VertexLog{"loud", {}, 1, line + "\n"});
  queue.Emit(VertexLog{"loud", {}, 1, "last\n"});
  queue.Emit(Ended("loud", 1, 2));
  queue.Emit(Ended("calm", 1, 2));
  queue.Close();
  std::size_t loud = 0, calm = 0, dropped = 0, calm_dropped = 0, ends = 0, vertices = 0;
  std::string last;
  while (queue.Wait({}, std::nullopt)) {
    EventBatch batch = queue.Take();
    loud += Lines(batch, "loud", &dropped);
    calm += Lines(batch, "calm", &calm_dropped);
    ends += batch.ends.size();
    for (const Vertex& vertex : batch.vertices)
      vertices += vertex.digest == "loud" ? 1 : 0;
    if (!batch.logs.empty() && batch.logs.back().first == "loud")
      last = batch.logs.back().second.data;
  }
  EXPECT_EQ(loud + dropped, count + 1);
  EXPECT_GT(dropped, count / 2);
  EXPECT_EQ(last, "last\n");
  EXPECT_EQ(calm, 1u);
  EXPECT_EQ(calm_dropped, 0u);
  EXPECT_EQ(ends, 2u);
  EXPECT_GE(vertices, 1u);
}

/// What fills a queue with steps that nobody has seen.
void Flood(EventQueue& queue) {
  for (int i = 0; i < 50'000; ++i)
    queue.Emit(Running(Cat("flood", i), 1));
}

TEST(EventQueue, AFullOneKeepsTheEndsOfTheStepsThatWereTaken) {
  EventQueue queue;
  constexpr int kSteps = 10'000;
  for (int i = 0; i < kSteps; ++i)
    queue.Emit(Running(Cat("known", i), 1));
  EXPECT_FALSE(queue.Take().overflow);
  Flood(queue);
  for (int i = 0; i < kSteps; ++i)
    queue.Emit(Ended(Cat("known", i), 1, 2));
  EventBatch batch = queue.Take();
  EXPECT_TRUE(batch.overflow);
  EXPECT_EQ(batch.ends.size(), static_cast<std::size_t>(kSteps));
  Flood(queue);
  queue.Emit(Ended("known1", 1, 2));
  EXPECT_TRUE(queue.Take().ends.empty()) << "it had ended before";
}

TEST(EventQueue, AFullOneKeepsAnEndInShortAndBehindTheLogs) {
  EventQueue queue;
  queue.Emit(Running("known", 1));
  queue.Emit(VertexLog{"known", {}, 1, std::string(EventQueue::kSliceBytes * 2, 'x') + "\n"});
  EXPECT_EQ(queue.Take().vertices.size(), 1u);
  Flood(queue);
  Vertex end = Ended("known", 1, 2);
  end.name = std::string(4000, 'n');
  end.error = std::string(16'000, 'e') + ": context canceled";
  queue.Emit(end);
  EXPECT_TRUE(queue.Take().ends.empty());
  const EventBatch last = queue.Take();
  ASSERT_EQ(last.ends.size(), 1u);
  EXPECT_LT(last.ends[0].error.size() + last.ends[0].name.size(), 300u);
  EXPECT_TRUE(last.ends[0].error.ends_with("e: context canceled"));
  EXPECT_EQ(last.ends[0].completed, end.completed);
}

TEST(EventQueue, IsBoundedAgainstAHostileBuilder) {
  EventQueue queue;
  const std::string big(20'000, 'n');
  for (int i = 0; i < 20'000; ++i) {
    Vertex vertex = Running(Cat("v", i), 1);
    vertex.name = big;
    vertex.error = big;
    queue.Emit(vertex);
    queue.Emit(VertexStatus{Cat(i, big), "v1", big, 1, 1, {}, {}, {}});
    queue.Emit(VertexLog{Cat("v", i), {}, 1, big});
    if (i < 3000) {
      queue.Emit(VertexWarning{"v1", 1, big, {big, big}, big, big, big, {}});
      queue.Emit(Notice{big});
    }
  }
  EventBatch batch = queue.Take();
  EXPECT_TRUE(batch.overflow);
  std::size_t bytes = 0;
  for (const Vertex& vertex : batch.vertices)
    bytes += vertex.name.size() + vertex.error.size();
  for (const VertexStatus& status : batch.statuses)
    bytes += status.id.size() + status.name.size();
  for (const auto& log : batch.logs)
    bytes += log.second.data.size();
  for (const std::string& notice : batch.notices)
    bytes += notice.size();
  EXPECT_LT(bytes, 32u << 20);
  EXPECT_LE(batch.warnings.size(), EventQueue::kMaxTexts);
}

TEST(EventQueue, WhatItRemembersOfOpenStepsIsBounded) {
  EventQueue queue;
  constexpr int kSteps = 120'000;
  constexpr int kTakes = 5;
  int next = 0;
  for (int takes = 0; takes < kTakes; ++takes, (void)queue.Take())
    for (const int end = next + kSteps / kTakes; next < end; ++next)
      queue.Emit(Running(Cat("known", next), 1));
  Flood(queue);
  for (int i = 0; i < kSteps; ++i) {
    Vertex end = Ended(Cat("known", i), 1, 2);
    end.error = std::string(1000, 'e');
    queue.Emit(std::move(end));
  }
  const EventBatch batch = queue.Take();
  EXPECT_TRUE(batch.overflow);
  EXPECT_GT(batch.ends.size(), 10'000u);
  EXPECT_LT(batch.ends.size(), 100'000u);
}

TEST(EventQueue, WaitHoldsTheRateButNotAtTheEnd) {
  EventQueue queue;
  auto begin = EventQueue::Clock::now();
  queue.Emit(Running("a", 1));
  EXPECT_TRUE(queue.Wait(begin + 50ms, std::nullopt));
  EXPECT_GE(EventQueue::Clock::now() - begin, 50ms);
  (void)queue.Take();
  EXPECT_TRUE(queue.Wait({}, EventQueue::Clock::now() + 10ms));
  TaskGroup tasks(Cancel::Never());
  tasks.Start("closer", [&](const Cancel& cancel) -> Result<> {
    (void)cancel.SleepFor(20ms);
    queue.Close();
    return {};
  });
  begin = EventQueue::Clock::now();
  EXPECT_FALSE(queue.Wait(begin + 10s, std::nullopt));
  EXPECT_LT(EventQueue::Clock::now() - begin, 5s);
}

TEST(EventQueue, AnEndAndTheLastOutputAreTakenTogether) {
  // Of several tries: a busy machine may come between the two.
  int together = 0;
  for (int i = 0; i < 20 && together < 3; ++i) {
    EventQueue queue;
    TaskGroup tasks(Cancel::Never());
    tasks.Start("builder", [&](const Cancel& cancel) -> Result<> {
      (void)cancel.SleepFor(5ms);
      queue.Emit(Ended("a", 1, 2));
      (void)cancel.SleepFor(1ms);
      queue.Emit(VertexLog{"a", {}, 1, "the reason\n"});
      return {};
    });
    EXPECT_TRUE(queue.Wait({}, std::nullopt));
    const EventBatch batch = queue.Take();
    if (batch.ends.size() == 1 && batch.logs.size() == 1) ++together;
    (void)tasks.Wait();
  }
  EXPECT_EQ(together, 3);
}

TEST(EventQueue, AFloodOfWarningsIsCountedNotAddedUpEachTime) {
  EventQueue queue;
  VertexWarning warning;
  warning.detail.assign(20, "x");
  for (int i = 0; i < 100'000; ++i)
    queue.Emit(warning);
  EXPECT_EQ(queue.Take().warnings.size(), EventQueue::kMaxTexts);
  queue.Emit(warning);
  EXPECT_EQ(queue.Take().warnings.size(), 1U);
}

}  // namespace
}  // namespace depot::event_queue_test
