#include "driver/rpc/dial.h"

#include <filesystem>
#include <memory>

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/un.h>

#include "driver/base/task_group.h"
#include "driver/base/text.h"
#include "tests/unit/http/certificates.h"
#include "tests/unit/rpc/loopback.h"

namespace depot::rpc::dial_test {
namespace {

using namespace std::chrono_literals;
using test::Listener;

Cancel Soon() {
  return Cancel::Never().WithTimeout(10s, "the test");
}

TEST(DialTcp, ConnectsByAddressAndByName) {
  Listener listener;
  EXPECT_TRUE(DialTcp("127.0.0.1", listener.port(), Soon()));
  EXPECT_TRUE(DialTcp("localhost", listener.port(), Soon()));
}

TEST(DialTcp, ARefusedConnectionNamesTheAddress) {
  std::uint16_t port = Listener().port();  // closed again
  Result<Fd> socket = DialTcp("127.0.0.1", port, Soon());
  ASSERT_FALSE(socket);
  EXPECT_EQ(socket.error().code(), ErrorCode::kUnavailable);
  EXPECT_EQ(socket.error().message(), Cat("connect to 127.0.0.1:", port, ": connection refused"));
}

TEST(DialTcp, ADeadLinkEndsFiveSecondsAfterTheSilenceThatIsAllowed) {
  Listener listener;
  const Result<Fd> socket = DialTcp("127.0.0.1", listener.port(), Soon());
  ASSERT_TRUE(socket);
  auto option = [&](int name) {
    int value = 0;
    socklen_t size = sizeof value;
    ::getsockopt(socket->get(), IPPROTO_TCP, name, &value, &size);
    return value;
  };
  auto dead = [&] {
    EXPECT_EQ(option(TCP_KEEPIDLE) + option(TCP_KEEPINTVL) * option(TCP_KEEPCNT),
              option(TCP_USER_TIMEOUT) / 1000);
    return option(TCP_USER_TIMEOUT);
  };
  EXPECT_EQ(dead(), 25'000);
  for (const int silence : {10, 20, 60, 600}) {
    LimitSilence(socket->get(), std::chrono::seconds(silence));
    EXPECT_EQ(dead(), silence * 1000 + 5000);
  }
}

TEST(DialTcp, AnUnknownHostIsNotFound) {
  // No name has a blank, so no DNS server is asked.
  Result<Fd> socket = DialTcp("no such host", 1, Soon());
  ASSERT_FALSE(socket);
  EXPECT_EQ(socket.error().code(), ErrorCode::kNotFound);
  EXPECT_NE(socket.error().message().find("look up host no such host"), std::string::npos)
      << socket.error().message();
  EXPECT_FALSE(socket.error().hint().empty());
}

/// A listener whose queue is full answers no further SYN.
class FullListener {
 public:
  FullListener() : listener_(0) {
    for (int i = 0; i < 4; ++i) {
      auto socket = DialTcp("127.0.0.1", port(), Cancel::Never().WithTimeout(100ms, "full"));
      if (socket) queued_.push_back(*std::move(socket));
    }
  }
  std::uint16_t port() const { return listener_.port(); }

 private:
  Listener listener_;
  std::vector<Fd> queued_;
};

TEST(DialTcp, AnAddressThatDoesNotAnswerIsGivenUpAtTheDeadline) {
  FullListener listener;
  Result<Fd> socket =
      DialTcp("127.0.0.1", listener.port(), Cancel::Never().WithTimeout(100ms, "no answer"));
  ASSERT_FALSE(socket);
  EXPECT_EQ(socket.error().code(), ErrorCode::kTimeout);
  EXPECT_NE(socket.error().message().find(Cat("127.0.0.1:", listener.port())), std::string::npos)
      << socket.error().message();
}

TEST(DialTcp, AnAddressThatDoesNotAnswerIsLeftAtOnceWhenCancelled) {
  FullListener listener;
  CancelSource source;
  TaskGroup tasks(Cancel::Never());
  tasks.Start("cancel", [&](const Cancel& cancel) -> Result<> {
    (void)cancel.SleepFor(50ms);
    source.Request(Error(ErrorCode::kCancelled, "the user said stop"));
    return {};
  });
  auto start = std::chrono::steady_clock::now();
  Result<Fd> socket = DialTcp("127.0.0.1", listener.port(), source.cancel());
  EXPECT_LT(std::chrono::steady_clock::now() - start, 2s);
  ASSERT_FALSE(socket);
  EXPECT_EQ(socket.error().code(), ErrorCode::kCancelled);
}

TEST(DialUnix, ConnectsToASocket) {
  test::TempDir dir;
  std::string path = dir.path("s");
  Fd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  ASSERT_EQ(::bind(listener.get(), generic, sizeof address), 0);
  Result<Fd> nobody_listens = DialUnix(path, Soon());
  ASSERT_EQ(::listen(listener.get(), 1), 0);
  EXPECT_TRUE(DialUnix(path, Soon()));
  ASSERT_FALSE(nobody_listens);
  EXPECT_EQ(nobody_listens.error().code(), ErrorCode::kUnavailable);
  EXPECT_EQ(nobody_listens.error().message(), Cat("connect to ", path, ": connection refused"));
}

TEST(DialUnix, ASocketThatIsNotThereIsNotFound) {
  Result<Fd> socket = DialUnix("/nonexistent/buildkitd.sock", Soon());
  ASSERT_FALSE(socket);
  EXPECT_EQ(socket.error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(socket.error().message(),
            "connect to /nonexistent/buildkitd.sock: no such file or directory");
}

TEST(DialUnix, APathThatTheKernelCannotTakeIsInvalid) {
  std::string longest = "/" + std::string(sizeof sockaddr_un{}.sun_path - 2, 'x');
  Result<Fd> fits = DialUnix(longest, Soon());
  ASSERT_FALSE(fits);
  EXPECT_EQ(fits.error().code(), ErrorCode::kNotFound);
  Result<Fd> too_long = DialUnix(longest + "x", Soon());
  ASSERT_FALSE(too_long);
  EXPECT_EQ(too_long.error().code(), ErrorCode::kInvalid);
  EXPECT_NE(too_long.error().message().find("longer than 107 bytes"), std::string::npos);
}

/// An Engine on a socket pair that reads one request head and answers with `answer`.
class UpgradeToH2cTest : public testing::Test {
 protected:
  Result<std::unique_ptr<ByteStream>> Upgrade(const std::string& answer,
                                              const SecretHeaders& headers = {}) {
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    TaskGroup engine(Cancel::Never());
    engine.Start("engine", [this, answer, end = ends[1]](const Cancel& cancel) -> Result<> {
      Fd socket(end);
      asked_ = test::ReadUntil(socket.get(), "\r\n\r\n", cancel);
      (void)::send(socket.get(), answer.data(), answer.size(), MSG_NOSIGNAL);
      return {};
    });
    auto stream = UpgradeToH2c(MakeSocketStream(Fd(ends[0])), "/grpc", headers, Soon());
    if (!stream) engine.Stop(Error(ErrorCode::kCancelled, "the client gave up"));
    EXPECT_TRUE(engine.Wait());
    return stream;
  }

  std::string asked_;
};

TEST_F(UpgradeToH2cTest, AsksForH2cAndLosesNoByteAfterTheAnswer) {
  auto stream =
      Upgrade("HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\nfirst frame");
  ASSERT_TRUE(stream) << stream.error().message();
  EXPECT_TRUE(asked_.starts_with("POST /grpc HTTP/1.1\r\n")) << asked_;
  EXPECT_NE(asked_.find("\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n"), std::string::npos);
  std::string got(4, '\0');
  EXPECT_EQ((*stream)->Read(got.data(), 4, Soon()).value_or(0), 4u);
  EXPECT_EQ(got, "firs");
  got.resize(100);
  got.resize((*stream)->Read(got.data(), 100, Soon()).value_or(0));
  EXPECT_EQ(got, "t frame");
  EXPECT_EQ((*stream)->Read(got.data(), 1, Soon()).value_or(99), 0u);
}

TEST_F(UpgradeToH2cTest, SendsTheUsersHeaders) {
  (void)Upgrade("HTTP/1.1 101 X\r\n\r\n",
                {{"X-Proxy", Secret("token one")}, {"X-Other", Secret("2")}});
  EXPECT_NE(asked_.find("\r\nX-Proxy: token one\r\nX-Other: 2\r\n\r\n"), std::string::npos)
      << asked_;
}

TEST_F(UpgradeToH2cTest, AHeaderWithALineBreakIsRefusedUnsent) {
  auto stream = Upgrade("", {{"X-Token", Secret("s3cr3t\r\nX-Evil: 1")}});
  ASSERT_FALSE(stream);
  EXPECT_EQ(asked_, "");
  EXPECT_EQ(stream.error().code(), ErrorCode::kInvalid);
  EXPECT_NE(stream.error().message().find("X-Token"), std::string::npos);
  EXPECT_EQ(stream.error().message().find("s3cr3t"), std::string::npos);
  EXPECT_FALSE(Upgrade("", {{"X Token", Secret("1")}}));
  EXPECT_FALSE(Upgrade("", {{"", Secret("1")}}));
}

TEST_F(UpgradeToH2cTest, AnEngineWithoutBuildKitIsUnsupported) {
  auto stream = Upgrade(
      "HTTP/1.1 404 Not Found\r\nContent-Length: 30\r\n\r\n{\"message\":\"page not found\"}\n");
  ASSERT_FALSE(stream);
  EXPECT_EQ(stream.error().code(), ErrorCode::kUnsupported);
  EXPECT_NE(stream.error().message().find("404 Not Found: {\"message\":\"page not found\"}"),
            std::string::npos)
      << stream.error().message();
}

TEST_F(UpgradeToH2cTest, WhatIsNotHttpIsInvalid) {
  auto banner = Upgrade("SSH-2.0-OpenSSH_9.2\r\n");
  ASSERT_FALSE(banner);
  EXPECT_EQ(banner.error().code(), ErrorCode::kInvalid);
  EXPECT_NE(banner.error().message().find("is this a Docker Engine?"), std::string::npos);
  auto control = Upgrade("\x1b[31m220 hello\r\n\r\n");
  ASSERT_FALSE(control);
  EXPECT_EQ(control.error().code(), ErrorCode::kInvalid);
  EXPECT_EQ(control.error().message().find('\x1b'), std::string::npos);
}

TEST_F(UpgradeToH2cTest, AnAnswerWithoutEndIsCutOff) {
  auto stream = Upgrade("HTTP/1.1 101 X\r\n" + std::string(100'000, 'x'));
  ASSERT_FALSE(stream);
  EXPECT_EQ(stream.error().code(), ErrorCode::kInvalid);
}

TEST_F(UpgradeToH2cTest, APeerThatClosesIsInvalid) {
  auto stream = Upgrade("");
  ASSERT_FALSE(stream);
  EXPECT_EQ(stream.error().code(), ErrorCode::kInvalid);
  EXPECT_NE(stream.error().message().find("no HTTP answer to POST /grpc"), std::string::npos);
}

}  // namespace
}  // namespace depot::rpc::dial_test
