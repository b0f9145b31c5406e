#include "driver/event/step.h"

#include <vector>

#include <gtest/gtest.h>

namespace depot::step_test {
namespace {

class RecordingSink : public EventSink {
 public:
  void Emit(Event event) override { events.push_back(std::move(event)); }
  std::vector<Event> events;
};

TEST(Step, StartsAndEndsOnce) {
  RecordingSink sink;
  {
    Step step(sink, "importing to docker");
    step.Done();
    step.Failed(Error(ErrorCode::kFailed, "too late"));
  }
  ASSERT_EQ(sink.events.size(), 2u);
  const auto& begin = std::get<Vertex>(sink.events[0]);
  const auto& end = std::get<Vertex>(sink.events[1]);
  EXPECT_EQ(begin.name, "importing to docker");
  EXPECT_TRUE(begin.started);
  EXPECT_FALSE(begin.completed);
  EXPECT_EQ(end.digest, begin.digest);
  EXPECT_EQ(end.started, begin.started);
  EXPECT_TRUE(end.completed);
  EXPECT_EQ(end.error, "");
}

TEST(Step, DigestsDiffer) {
  RecordingSink sink;
  Step one(sink, "same");
  Step two(sink, "same");
  EXPECT_NE(std::get<Vertex>(sink.events[0]).digest, std::get<Vertex>(sink.events[1]).digest);
}

TEST(Step, ClosesWhatIsOpenBeforeItsEnd) {
  RecordingSink sink;
  {
    Step step(sink, "load");
    step.Progress("layer", 5, 10);
    step.Progress("layer", 7, 10);
  }
  ASSERT_EQ(sink.events.size(), 5u);
  const auto& first = std::get<VertexStatus>(sink.events[1]);
  const auto& last = std::get<VertexStatus>(sink.events[3]);
  EXPECT_EQ(last.started, first.started);
  EXPECT_EQ(last.current, 7);
  EXPECT_TRUE(last.completed);
  EXPECT_TRUE(std::get<Vertex>(sink.events[4]).completed);
}

TEST(Step, ShowsAnIdThatWasDoneAtOnce) {
  RecordingSink sink;
  Step step(sink, "load");
  step.ProgressDone("naming");
  const auto& status = std::get<VertexStatus>(sink.events.back());
  EXPECT_EQ(status.id, "naming");
  EXPECT_TRUE(status.completed);
}

TEST(Step, ACancelledOneSaysSoInBuildKitsWords) {
  RecordingSink sink;
  Step step(sink, "connect");
  step.Failed(Error(ErrorCode::kCancelled, "interrupted"));
  EXPECT_EQ(std::get<Vertex>(sink.events.back()).error, "interrupted: context canceled");
}

TEST(Step, FinishPassesTheResultThrough) {
  RecordingSink sink;
  Step good(sink, "good");
  EXPECT_EQ(*good.Finish(Result<int>(7)), 7);
  EXPECT_EQ(std::get<Vertex>(sink.events.back()).error, "");
  Step bad(sink, "bad");
  EXPECT_FALSE(bad.Finish(Result<int>(Fail(ErrorCode::kFailed, "no"))));
  EXPECT_EQ(std::get<Vertex>(sink.events.back()).error, "no");
}

TEST(Step, LogLinesEndInANewline) {
  RecordingSink sink;
  Step step(sink, "x");
  step.Log("one");
  EXPECT_EQ(std::get<VertexLog>(sink.events.back()).data, "one\n");
  step.Log("two\n");
  EXPECT_EQ(std::get<VertexLog>(sink.events.back()).data, "two\n");
}

}  // namespace
}  // namespace depot::step_test
