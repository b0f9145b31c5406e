#include "driver/rpc/process_stream.h"

#include <gtest/gtest.h>
#include <signal.h>

#include "driver/base/task_group.h"
#include "driver/base/text.h"
#include "tests/unit/rpc/loopback.h"

namespace depot::rpc::process_stream_test {
namespace {

using namespace std::chrono_literals;

Cancel Soon() {
  return Cancel::Never().WithTimeout(30s, "the test");
}

Result<std::unique_ptr<ByteStream>> Shell(const std::string& script) {
  return StartProcessStream({"sh", "-c", script});
}

std::string ReadAll(ByteStream& stream, std::size_t enough) {
  std::string text;
  std::string buffer(64 << 10, '\0');
  while (text.size() < enough) {
    Result<std::size_t> got = stream.Read(buffer.data(), buffer.size(), Soon());
    if (!got || *got == 0) break;
    text.append(buffer, 0, *got);
  }
  return text;
}

/// What a program's end looks like to the reader.
Error EndOf(const std::string& script) {
  auto stream = Shell(script);
  if (!stream) return stream.error();
  char byte = 0;
  Result<std::size_t> got = (*stream)->Read(&byte, 1, Soon());
  return got ? Error(ErrorCode::kInternal, Cat("read ", *got)) : got.error();
}

TEST(ProcessStream, CarriesMegabytesBothWaysWhateverTheProgramSaysBeside) {
  auto stream = Shell("head -c 1000000 /dev/zero >&2; exec cat");
  ASSERT_TRUE(stream);
  std::string sent(3 << 20, 'x');
  TaskGroup tasks(Soon());
  tasks.Start("write", [&](const Cancel& cancel) {
    return (*stream)->Write({Bytes(sent), Bytes("end")}, cancel);
  });
  EXPECT_TRUE(ReadAll(**stream, sent.size() + 3) == sent + "end");
  EXPECT_TRUE(tasks.Wait());
}

TEST(ProcessStream, AProgramThatFailsIsQuoted) {
  Error error = EndOf("echo 'Warning: new host key' >&2; echo 'Permission denied' >&2; exit 255");
  EXPECT_EQ(error.code(), ErrorCode::kUnavailable);
  EXPECT_EQ(error.message(),
            "sh ended with exit code 255: Warning: new host key; Permission denied");
  EXPECT_EQ(EndOf("exit 3").message(), "sh ended with exit code 3");
  EXPECT_EQ(EndOf("kill -9 $$").message(), "sh ended with exit code 137");
  EXPECT_EQ(EndOf("exit 0").message(), "read 0");
}

TEST(ProcessStream, OnlyTheLastWordsOfAProgramAreQuoted) {
  std::string message =
      EndOf(
          "for i in $(seq 20000); do echo \"line $i\" >&2; done; printf '\\033[1mbad' >&2; exit 1")
          .message();
  EXPECT_LT(message.size(), 2000u);
  EXPECT_TRUE(message.ends_with("line 20000; ?[1mbad")) << message;
}

TEST(ProcessStream, WritingToAProgramThatHasFailedSaysWhy) {
  auto stream = Shell("echo 'no such host' >&2; exit 255");
  ASSERT_TRUE(stream);
  std::string large(16 << 20, 'x');
  Result<> written = (*stream)->Write({Bytes(large)}, Soon());
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().message(), "sh ended with exit code 255: no such host");
}

TEST(ProcessStream, AProgramThatDoesNotExistIsNotFound) {
  auto stream = StartProcessStream({"no-such-tunnel", "x"});
  ASSERT_FALSE(stream);
  EXPECT_EQ(stream.error().code(), ErrorCode::kNotFound);
}

TEST(ProcessStream, AReaderIsLeftAtOnceWhenCancelled) {
  auto stream = Shell("sleep 60");
  ASSERT_TRUE(stream);
  char byte = 0;
  Result<std::size_t> got = (*stream)->Read(&byte, 1, Cancel::Never().WithTimeout(30ms, "x"));
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code(), ErrorCode::kTimeout);
}

TEST(ProcessStream, CloseWakesAWaitingReader) {
  auto stream = Shell("sleep 60");
  ASSERT_TRUE(stream);
  TaskGroup tasks(Soon());
  tasks.Start("close", [&](const Cancel& cancel) -> Result<> {
    (void)cancel.SleepFor(30ms);
    (*stream)->Close();
    return {};
  });
  char byte = 0;
  EXPECT_EQ((*stream)->Read(&byte, 1, Soon()).value_or(99), 0u);
}

TEST(ProcessStream, TheProgramAndWhatItHasStartedGoWithTheStream) {
  auto stream = Shell("sleep 300 & echo $! $$; wait");
  ASSERT_TRUE(stream);
  std::string line = ReadAll(**stream, 4);
  std::vector<std::string_view> pids = Split(Trim(line), ' ');
  ASSERT_EQ(pids.size(), 2u) << line;
  stream->reset();
  for (std::string_view text : pids) {
    auto pid = static_cast<pid_t>(ParseDecimal(text).value_or(0));
    ASSERT_GT(pid, 1);
    // The grandchild is reaped by init, in its own time.
    for (int i = 0; i < 500 && ::kill(pid, 0) == 0; ++i)
      (void)Soon().SleepFor(10ms);
    std::string state = Cat("/proc/", pid, "/stat");
    EXPECT_NE(::kill(pid, 0), 0) << state;
  }
}

}  // namespace
}  // namespace depot::rpc::process_stream_test
