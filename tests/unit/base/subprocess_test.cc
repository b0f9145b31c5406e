#include "driver/base/subprocess.h"

#include <algorithm>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "driver/base/fd.h"
#include "driver/base/task_group.h"
#include "driver/base/text.h"

namespace depot::subprocess_test {
namespace {

Result<SubprocessOutput> Shell(const std::string& script, std::string_view input = "") {
  return RunSubprocess({"sh", "-c", script}, input, Cancel::Never());
}

/// The file descriptors of this process: all, or those that a child gets.
int OpenFiles(bool inherited = false) {
  int count = 0;
  for (int fd = 0; fd < 1024; ++fd) {
    int flags = ::fcntl(fd, F_GETFD);
    if (flags >= 0 && (!inherited || (flags & FD_CLOEXEC) == 0)) ++count;
  }
  return count;
}

class Subprocess : public testing::Test {
 protected:
  Subprocess() { ::signal(SIGPIPE, SIG_IGN); }
};

TEST_F(Subprocess, CollectsBothStreamsAndTheExitCode) {
  auto output = Shell("echo out; echo err >&2; exit 7");
  ASSERT_TRUE(output);
  EXPECT_EQ(output->exit_code, 7);
  EXPECT_EQ(output->standard_output, "out\n");
  EXPECT_EQ(output->standard_error, "err\n");
}

TEST_F(Subprocess, FeedsInputAndClosesIt) {
  auto output = Shell("cat", "secret\nlines\n");
  ASSERT_TRUE(output);
  EXPECT_EQ(output->standard_output, "secret\nlines\n");
}

TEST_F(Subprocess, WithoutInputTheChildReadsEndOfFile) {
  auto output = Shell("cat; echo done");
  ASSERT_TRUE(output);
  EXPECT_EQ(output->standard_output, "done\n");
}

TEST_F(Subprocess, FeedsMoreThanAPipeHolds) {
  std::string input(700'000, 'x');
  auto output = Shell("cat", input);
  ASSERT_TRUE(output);
  EXPECT_EQ(output->standard_output, input);
}

TEST_F(Subprocess, ChildThatDoesNotReadItsInputIsNoProblem) {
  auto output = Shell("exit 3", std::string(700'000, 'x'));
  ASSERT_TRUE(output) << output.error().message();
  EXPECT_EQ(output->exit_code, 3);
}

TEST_F(Subprocess, SignalIsAnExitCodeAbove128) {
  auto output = Shell("kill -9 $$");
  ASSERT_TRUE(output);
  EXPECT_EQ(output->exit_code, 128 + SIGKILL);
}

TEST_F(Subprocess, MissingProgramIsNotFound) {
  auto output = RunSubprocess({"docker-credential-nobody-has-this", "get"}, "x", Cancel::Never());
  ASSERT_FALSE(output);
  EXPECT_EQ(output.error().code(), ErrorCode::kNotFound);
  EXPECT_NE(output.error().message().find("docker-credential-nobody-has-this"), std::string::npos);
}

TEST_F(Subprocess, TooMuchOutputIsAnError) {
  auto output = Shell("head -c 3000000 /dev/zero");
  ASSERT_FALSE(output);
  EXPECT_EQ(output.error().code(), ErrorCode::kInvalid);
}

TEST_F(Subprocess, KeepsTheEndOfALongErrorStream) {
  auto output = Shell("head -c 300000 /dev/zero | tr '\\0' e >&2; echo THE END >&2");
  ASSERT_TRUE(output);
  EXPECT_LE(output->standard_error.size(), 16U << 10);
  EXPECT_TRUE(output->standard_error.ends_with("THE END\n"));
}

TEST_F(Subprocess, CancelKillsTheChild) {
  CancelSource source;
  TaskGroup group(Cancel::Never());
  group.Start("stopper", [&](const Cancel& cancel) -> Result<> {
    cancel.SleepFor(std::chrono::milliseconds(50));
    source.Request(Error(ErrorCode::kCancelled, "interrupted"));
    return {};
  });
  auto begin = std::chrono::steady_clock::now();
  auto output = RunSubprocess({"sleep", "60"}, "", source.cancel());
  ASSERT_FALSE(output);
  EXPECT_EQ(output.error().message(), "interrupted");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
}

TEST_F(Subprocess, TimeoutKillsAChildThatIgnoresTerm) {
  auto begin = std::chrono::steady_clock::now();
  auto output =
      RunSubprocess({"sh", "-c", "trap '' TERM; while :; do sleep 0.05; done"}, "",
                    Cancel::Never().WithTimeout(std::chrono::milliseconds(100), "the helper"));
  ASSERT_FALSE(output);
  EXPECT_EQ(output.error().message(), "timed out: the helper");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
}

TEST_F(Subprocess, CancelEndsAChildThatOnlyClosedItsOutput) {
  Cancel cancel = Cancel::Never().WithTimeout(std::chrono::milliseconds(300), "test");
  auto begin = Cancel::Clock::now();
  auto output = RunSubprocess({"sh", "-c", "exec >&- 2>&-; sleep 60"}, "", cancel);
  EXPECT_FALSE(output);
  EXPECT_LT(Cancel::Clock::now() - begin, std::chrono::seconds(10));
}

TEST_F(Subprocess, AnEndThatNobodyKnowsIsNoSuccess) {
  ::signal(SIGCHLD, SIG_IGN);
  auto output = Shell("exit 7");
  ::signal(SIGCHLD, SIG_DFL);
  ASSERT_FALSE(output);
  EXPECT_NE(output.error().message().find("wait for a child process"), std::string::npos);
}

TEST_F(Subprocess, LeavesNoFilesOpen) {
  ASSERT_TRUE(Shell("true"));
  int before = OpenFiles();
  ASSERT_TRUE(Shell("echo x", "input"));
  ASSERT_FALSE(RunSubprocess({"/nonexistent/program"}, "", Cancel::Never()));
  EXPECT_EQ(OpenFiles(), before);
}

TEST_F(Subprocess, ChildInheritsNothingOfOurs) {
  Fd ours(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  auto output = RunSubprocess({"ls", "/proc/self/fd"}, "", Cancel::Never());
  ASSERT_TRUE(output);
  auto lines = std::count(output->standard_output.begin(), output->standard_output.end(), '\n');
  // One more is the folder that ls reads.
  EXPECT_EQ(lines, OpenFiles(/*inherited=*/true) + 1) << output->standard_output;
}

}  // namespace
}  // namespace depot::subprocess_test
