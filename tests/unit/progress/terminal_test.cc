#include "plugin/progress/terminal.h"

#include <chrono>
#include <optional>

#include <gtest/gtest.h>
#include <pty.h>

#include "driver/base/task_group.h"
#include "tests/unit/progress/standard_streams.h"

namespace depot::terminal_test {
namespace {

using namespace std::chrono_literals;

TEST(Terminal, KnowsATerminal) {
  int leader = -1;
  int follower = -1;
  ASSERT_EQ(::openpty(&leader, &follower, nullptr, nullptr, nullptr), 0);
  Fd leader_fd(leader);
  Fd follower_fd(follower);
  {
    StreamSwap swap(STDERR_FILENO, follower);
    Terminal terminal;
    EXPECT_TRUE(terminal.error_is_terminal());
    terminal.WriteError("hello\n", Cancel::Never());
  }
  follower_fd.Reset();
  EXPECT_EQ(ReadAll(leader), "hello\r\n");
}

TEST(Terminal, KnowsAPipe) {
  Pipe pipe;
  StreamSwap swap(STDERR_FILENO, pipe.write.get());
  Terminal terminal;
  EXPECT_FALSE(terminal.error_is_terminal());
}

TEST(Terminal, WritesAllToANonBlockingPipeWithASlowReader) {
  Pipe pipe;
  ::fcntl(pipe.write.get(), F_SETFL, O_NONBLOCK);
  std::string text;
  for (int i = 0; i < 100'000; ++i)
    text += "line " + std::to_string(i) + "\n";
  TaskGroup tasks(Cancel::Never());
  std::string got;
  tasks.Start("reader", [&](const Cancel& cancel) -> Result<> {
    (void)cancel.SleepFor(50ms);
    got = ReadAll(pipe.read.get());
    return {};
  });
  {
    StreamSwap swap(STDERR_FILENO, pipe.write.get());
    Terminal terminal;
    terminal.WriteError(text, Cancel::Never());
  }
  pipe.write.Reset();
  ASSERT_TRUE(tasks.Wait());
  EXPECT_EQ(got, text);
}

TEST(Terminal, AReaderThatWentAwayIsNoFailure) {
  Pipe pipe;
  StreamSwap swap(STDERR_FILENO, pipe.write.get());
  Terminal terminal;
  pipe.read.Reset();
  terminal.WriteError("into the void\n", Cancel::Never());
  terminal.WriteError("again\n", Cancel::Never());
}

TEST(Terminal, AReaderThatStoppedIsGivenUpWhenAsked) {
  Pipe pipe;
  StreamSwap swap(STDERR_FILENO, pipe.write.get());
  Terminal terminal;
  auto begin = std::chrono::steady_clock::now();
  terminal.WriteError(std::string(1 << 20, 'x'), Cancel::Never().WithTimeout(100ms, "test"));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 5s);
}

TEST(Terminal, AClosedErrorStreamGetsNoOtherFilesNumber) {
  std::optional<StreamSwap> swap;
  swap.emplace(STDERR_FILENO, -1);
  Terminal terminal;
  Pipe pipe;
  bool free = pipe.read.get() == STDERR_FILENO || pipe.write.get() == STDERR_FILENO;
  terminal.WriteError("nobody reads this\n", Cancel::Never());
  swap.reset();
  EXPECT_FALSE(free);
}

TEST(Terminal, WritesTheResult) {
  Pipe pipe;
  {
    StreamSwap swap(STDOUT_FILENO, pipe.write.get());
    Terminal terminal;
    EXPECT_TRUE(terminal.CheckResult());
    EXPECT_TRUE(terminal.WriteResult("sha256:abc\n", Cancel::Never()));
  }
  pipe.write.Reset();
  EXPECT_EQ(ReadAll(pipe.read.get()), "sha256:abc\n");
}

TEST(Terminal, GivesOutADescriptorOfStandardOutput) {
  Pipe pipe;
  Result<Fd> copy = Fail(ErrorCode::kInternal, "not asked yet");
  Result<Fd> of_closed = Fd();
  {
    StreamSwap swap(STDOUT_FILENO, pipe.write.get());
    copy = Terminal().DuplicateOutput();
  }
  {
    StreamSwap swap(STDOUT_FILENO, -1);
    of_closed = Terminal().DuplicateOutput();
  }
  pipe.write.Reset();
  ASSERT_TRUE(copy) << copy.error().message();
  EXPECT_NE(::fcntl(copy->get(), F_GETFD) & FD_CLOEXEC, 0);
  ASSERT_EQ(::write(copy->get(), "tar", 3), 3);
  copy->Reset();
  EXPECT_EQ(ReadAll(pipe.read.get()), "tar");
  EXPECT_FALSE(of_closed);
}

TEST(Terminal, AResultThatCannotBeWrittenIsAnError) {
  Fd full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  Result<> on_full, on_closed, on_closed_check, on_gone;
  {
    StreamSwap swap(STDOUT_FILENO, full.get());
    on_full = Terminal().WriteResult("sha256:abc\n", Cancel::Never());
  }
  {
    StreamSwap swap(STDOUT_FILENO, -1);
    Terminal terminal;
    on_closed_check = terminal.CheckResult();
    on_closed = terminal.WriteResult("sha256:abc\n", Cancel::Never());
  }
  {
    Pipe pipe;
    StreamSwap swap(STDOUT_FILENO, pipe.write.get());
    Terminal terminal;
    pipe.read.Reset();
    on_gone = terminal.WriteResult("sha256:abc\n", Cancel::Never());
  }
  ASSERT_FALSE(on_full);
  EXPECT_NE(on_full.error().message().find("no space left"), std::string::npos)
      << on_full.error().message();
  EXPECT_FALSE(on_closed_check);
  EXPECT_FALSE(on_closed);
  EXPECT_FALSE(on_gone);
}

}  // namespace
}  // namespace depot::terminal_test
