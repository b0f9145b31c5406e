#include "plugin/progress/display.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <string>

#include <gtest/gtest.h>
#include <pty.h>
#include <sys/resource.h>

#include "driver/base/task_group.h"
#include "driver/base/text.h"
#include "driver/event/step.h"
#include "tests/unit/progress/standard_streams.h"

namespace depot::display_test {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

/// What a display writes to a pipe while `build` runs.
std::string Capture(DisplayMode mode, const std::function<void(Display&)>& build) {
  Pipe pipe;
  std::string out;
  TaskGroup reader(Cancel::Never());
  reader.Start("reader", [&](const Cancel&) -> Result<> {
    out = ReadAll(pipe.read.get());
    return {};
  });
  {
    StreamSwap swap(STDERR_FILENO, pipe.write.get());
    Terminal terminal;
    auto display = MakeDisplay({mode, false}, terminal);
    build(*display);
  }
  pipe.write.Reset();
  (void)reader.Wait();
  return out;
}

Vertex Started(const std::string& digest) {
  Vertex vertex;
  vertex.digest = digest;
  vertex.name = "RUN " + digest;
  vertex.started = Timestamp(1s);
  return vertex;
}

void RunFailing(Display& display) {
  Vertex vertex = Started("a");
  display.Say("building on tcp://b");
  display.Emit(vertex);
  display.Emit(VertexLog{"a", Timestamp(2s), 2, "\x1b[31mno such thing\x1b[0m\x1b[2J\n"});
  vertex.completed = Timestamp(3s);
  vertex.error = "exit code: 1";
  display.Emit(vertex);
  Error error(ErrorCode::kFailed, "failed");
  display.Finish(&error);
}

constexpr std::string_view kBlock = "------\n > RUN a:\n1.000 no such thing\n------\n";

TEST(Display, PlainShowsTheBuildAndTheStepThatFailed) {
  EXPECT_EQ(Capture(DisplayMode::kPlain, RunFailing),
            Cat("#0 building on tcp://b\n\n#1 RUN a\n#1 1.000 no such thing\n"
                "#1 ERROR: exit code: 1\n",
                kBlock));
}

TEST(Display, QuietShowsOnlyTheStepThatFailed) {
  EXPECT_EQ(Capture(DisplayMode::kQuiet, RunFailing), kBlock);
  EXPECT_EQ(Capture(DisplayMode::kQuiet,
                    [](Display& display) {
                      display.Emit(Started("a"));
                      display.Emit(VertexWarning{"a", 1, "w", {}, "", "", "", {}});
                      display.Finish(nullptr);
                    }),
            "");
}

TEST(Display, WarningsComeAtTheEndWithoutEscapes) {
  EXPECT_EQ(Capture(DisplayMode::kPlain,
                    [](Display& display) {
                      display.Emit(VertexWarning{"a", 1, "JSONArgs\x1b[1m", {}, "", "", "", {}});
                      display.Finish(nullptr);
                    }),
            "\n 1 warning found (use docker --debug to expand):\n - JSONArgs?[1m\n");
}

TEST(Display, ColoursReachATerminalAndNothingElseDoes) {
  int leader = -1;
  int follower = -1;
  ASSERT_EQ(::openpty(&leader, &follower, nullptr, nullptr, nullptr), 0);
  Fd leader_fd(leader);
  Fd follower_fd(follower);
  {
    StreamSwap swap(STDERR_FILENO, follower);
    Terminal terminal;
    auto display = MakeDisplay({}, terminal);
    RunFailing(*display);
  }
  follower_fd.Reset();
  std::string out = ReadAll(leader);
  EXPECT_NE(out.find("#1 1.000 \x1b[31mno such thing\x1b[0m\r\n"), std::string::npos) << out;
  EXPECT_EQ(out.find("\x1b[2J"), std::string::npos);
}

TEST(Display, EndsWithoutWaitingForTheNextRefresh) {
  // The best of several tries: a busy machine may delay any single one.
  auto best = Clock::duration::max();
  for (int i = 0; i < 5; ++i) {
    Capture(DisplayMode::kPlain, [&](Display& display) {
      display.Emit(Started("a"));
      Cancel::Never().SleepFor(20ms);
      display.Emit(VertexLog{"a", Timestamp(2s), 1, "x\n"});
      auto begin = Clock::now();
      display.Finish(nullptr);
      best = std::min(best, Clock::now() - begin);
    });
  }
  EXPECT_LT(best, 50ms);
}

TEST(Display, ShowsNewsWhileTheBuildRuns) {
  Pipe pipe;
  StreamSwap swap(STDERR_FILENO, pipe.write.get());
  Terminal terminal;
  auto display = MakeDisplay({}, terminal);
  display->Emit(Started("a"));
  EXPECT_EQ(ReadLine(pipe.read.get()), "#1 RUN a\n");
  display->Emit(VertexLog{"a", Timestamp(2s), 1, "unfinished"});
  display->Emit(VertexLog{"a", Timestamp(2s), 1, " line\n"});
  EXPECT_EQ(ReadLine(pipe.read.get()), "#1 1.000 unfinished line\n");
  display->Finish(nullptr);
}

TEST(Display, ACancelledBuildDoesNotWaitForAReaderThatStopped) {
  Pipe pipe;
  StreamSwap swap(STDERR_FILENO, pipe.write.get());
  Terminal terminal;
  auto display = MakeDisplay({}, terminal);
  display->Emit(Started("a"));
  for (int i = 0; i < 100'000; ++i)
    display->Emit(VertexLog{"a", Timestamp(2s), 1, "line\n"});
  auto begin = Clock::now();
  Error cancelled(ErrorCode::kCancelled, "interrupted");
  display->Finish(&cancelled);
  EXPECT_LT(Clock::now() - begin, 3s);
}

TEST(Display, ABuildGoesOnWhenNobodyReads) {
  Pipe pipe;
  pipe.read.Reset();
  StreamSwap swap(STDERR_FILENO, pipe.write.get());
  Terminal terminal;
  auto display = MakeDisplay({}, terminal);
  for (int i = 0; i < 1000; ++i)
    display->Emit(Started(Cat("v", i)));
  display->Finish(nullptr);
}

TEST(Display, TakesEventsFromManyThreads) {
  std::string out = Capture(DisplayMode::kPlain, [](Display& display) {
    TaskGroup tasks(Cancel::Never());
    for (int t = 0; t < 4; ++t) {
      tasks.Start("emitter", [&display, t](const Cancel&) -> Result<> {
        Step step(display, Cat("step ", t));
        for (int i = 0; i < 500; ++i) {
          step.Progress("bytes", i, 500);
          step.Log(Cat("line ", i));
        }
        return {};
      });
    }
    (void)tasks.Wait();
    display.Finish(nullptr);
  });
  std::size_t lines = 0;
  for (std::string_view line : Split(out, '\n')) {
    if (line.find(" line ") != std::string_view::npos) ++lines;
  }
  EXPECT_EQ(lines, 4u * 500u);
  for (int t = 0; t < 4; ++t)
    EXPECT_NE(out.find(Cat(" step ", t, '\n')), std::string::npos);
}

#ifdef DEPOT_SANITIZED  // slow, and what it keeps of freed memory counts as well
constexpr int kFlood = 100'000;
#else
constexpr int kFlood = 1'000'000;
#endif

TEST(Display, SurvivesAFloodInBoundedMemory) {
  Fd null(::open("/dev/null", O_WRONLY | O_CLOEXEC));
  StreamSwap swap(STDERR_FILENO, null.get());
  Terminal terminal;
  rusage before{};
  ::getrusage(RUSAGE_SELF, &before);
  auto display = MakeDisplay({}, terminal);
  Vertex vertex = Started("a");
  vertex.digest = Cat("sha256:", std::string(64, 'a'));
  display->Emit(vertex);
  const std::string line = std::string(79, 'x') + "\n";
  for (int i = 0; i < kFlood; ++i) {
    display->Emit(VertexLog{vertex.digest, Timestamp(2s), 1, line});
  }
  display->Finish(nullptr);
  rusage after{};
  ::getrusage(RUSAGE_SELF, &after);
  long grown_kib = after.ru_maxrss - before.ru_maxrss;
  RecordProperty("grown_kib", static_cast<int>(grown_kib));
#ifndef DEPOT_SANITIZED
  EXPECT_LT(grown_kib, 60 * 1024);
#endif
}

}  // namespace
}  // namespace depot::display_test
