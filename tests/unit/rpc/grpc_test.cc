#include <atomic>
#include <numeric>

#include <gtest/gtest.h>
#include <sys/socket.h>

#include "driver/base/task_group.h"
#include "driver/base/text.h"
#include "driver/rpc/channel.h"
#include "driver/rpc/server.h"
#include "tests/unit/rpc/loopback.h"

namespace depot::rpc {
namespace {

/// A client channel and a server on both ends of a real socket.
class GrpcTest : public ::testing::Test {
 protected:
  void StartServer() {
    int fds[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    channel_ = MakeChannel(MakeSocketStream(Fd(fds[0])), "localhost");
    server_.Start("server", [this, stream = std::make_shared<std::unique_ptr<ByteStream>>(
                                       MakeSocketStream(Fd(fds[1])))](const Cancel& cancel) {
      served_ = Serve(std::move(*stream), table_, cancel);
      return Result<>();
    });
  }

  Status Unary(const std::string& method, const std::string& request, std::string& response) {
    return channel_->Unary(method, {}, request, response, cancel_);
  }

  Cancel cancel_ = Cancel::Never().WithTimeout(std::chrono::seconds(20), "test");
  ServiceTable table_;
  std::unique_ptr<Channel> channel_;
  Result<> served_;
  TaskGroup server_{Cancel::Never()};
};

TEST_F(GrpcTest, UnaryCarriesMessagesOfAllSizes) {
  table_.Add("/t.T/Echo", UnaryHandler([](const Metadata&, const std::string& in, std::string& out,
                                          const Cancel&) {
               out = in;
               return Status{};
             }));
  StartServer();
  for (std::size_t size : {0, 1, 5, 16383, 16384, 65536, 1 << 20, 16 << 20}) {
    std::string request(size, 'x');
    std::iota(request.begin(), request.end(), 'a');
    std::string response;
    Status status = Unary("/t.T/Echo", request, response);
    ASSERT_TRUE(status.ok()) << size << ": " << status.message;
    EXPECT_TRUE(response == request) << size;
  }
}

TEST_F(GrpcTest, StatusTravelsWithUnicodeAndControlCharacters) {
  table_.Add("/t.T/Fail",
             UnaryHandler([](const Metadata&, const std::string&, std::string&, const Cancel&) {
               return Status{Code::kNotFound, "caf\xC3\xA9 100% \n gone", ""};
             }));
  StartServer();
  std::string response;
  Status status = Unary("/t.T/Fail", "", response);
  EXPECT_EQ(status.code, Code::kNotFound);
  EXPECT_EQ(status.message, "caf\xC3\xA9 100% \n gone");
}

TEST_F(GrpcTest, MethodCaseDoesNotMatterAndUnknownMethodsAreRefused) {
  table_.Add("/t.T/DiffCopy",
             UnaryHandler([](const Metadata&, const std::string&, std::string& out, const Cancel&) {
               out = "yes";
               return Status{};
             }));
  StartServer();
  std::string response;
  EXPECT_TRUE(Unary("/t.T/diffcopy", "", response).ok());
  EXPECT_EQ(response, "yes");
  EXPECT_EQ(Unary("/t.T/Other", "", response).code, Code::kUnimplemented);
}

TEST_F(GrpcTest, LongMetadataArrivesWhole) {
  table_.Add("/t.T/Count", UnaryHandler([](const Metadata& metadata, const std::string&,
                                           std::string& out, const Cancel&) {
               std::size_t bytes = 0;
               for (const std::string& value : metadata.All("exclude-patterns"))
                 bytes += value.size();
               out = std::to_string(bytes);
               return Status{};
             }));
  StartServer();
  Metadata metadata;
  for (int i = 0; i < 6000; ++i)
    metadata.Add("exclude-patterns", std::string(100, static_cast<char>('!' + i % 90)));
  std::string response;
  Status status = channel_->Unary("/t.T/Count", metadata, "", response, cancel_);
  ASSERT_TRUE(status.ok()) << status.message;
  EXPECT_EQ(response, "600000");
}

TEST_F(GrpcTest, StreamsRunBothWaysAtOnce) {
  table_.Add("/t.T/Mirror", [](ServerCall& call, const Cancel& cancel) -> Status {
    while (true) {
      auto message = call.Read(cancel);
      if (!message) return ToStatus(message.error());
      if (!*message) return {};
      if (auto put = call.Write({Bytes(**message)}, cancel); !put) return ToStatus(put.error());
    }
  });
  StartServer();
  auto call = channel_->Start("/t.T/Mirror", {});
  constexpr int kMessages = 3000;
  TaskGroup writer(cancel_);
  writer.Start("writer", [&](const Cancel& cancel) -> Result<> {
    for (int i = 0; i < kMessages; ++i) {
      TRY(call->Write({Bytes(std::string(static_cast<std::size_t>(i) * 7, 'm'))}, cancel));
    }
    call->CloseWrites();
    return {};
  });
  for (int i = 0; i < kMessages; ++i) {
    auto message = call->Read(cancel_);
    ASSERT_TRUE(message && *message) << i;
    ASSERT_EQ((*message)->size(), static_cast<std::size_t>(i) * 7);
  }
  EXPECT_TRUE(writer.Wait());
  auto end = call->Read(cancel_);
  ASSERT_TRUE(end);
  EXPECT_FALSE(*end);
  EXPECT_TRUE(call->Finish(cancel_).ok());
}

TEST_F(GrpcTest, AStreamThatNobodyReadsDoesNotStopOthers) {
  std::atomic<bool> go{false};
  table_.Add("/t.T/Stuck", [&](ServerCall& call, const Cancel& cancel) -> Status {
    while (!go && cancel.SleepFor(std::chrono::milliseconds(5))) {
    }
    std::size_t total = 0;
    while (true) {
      auto message = call.Read(cancel);
      if (!message) return ToStatus(message.error());
      if (!*message) return {Code::kOk, std::to_string(total), ""};
      total += (*message)->size();
    }
  });
  table_.Add("/t.T/Health", UnaryHandler([](const Metadata&, const std::string&, std::string&,
                                            const Cancel&) { return Status{}; }));
  StartServer();
  auto call = channel_->Start("/t.T/Stuck", {});
  TaskGroup writer(cancel_);
  writer.Start("writer", [&](const Cancel& cancel) -> Result<> {
    for (int i = 0; i < 400; ++i)
      TRY(call->Write({Bytes(std::string(100'000, 'b'))}, cancel));
    call->CloseWrites();
    return {};
  });
  for (int i = 0; i < 20; ++i) {
    std::string response;
    ASSERT_TRUE(Unary("/t.T/Health", "", response).ok());
  }
  go = true;
  EXPECT_TRUE(writer.Wait());
  Status status = call->Finish(cancel_);
  EXPECT_TRUE(status.ok());
  EXPECT_EQ(status.message, "40000000");
}

TEST_F(GrpcTest, CancelEndsAWaitingCallAndTheHandlerSeesIt) {
  std::atomic<bool> seen{false};
  table_.Add("/t.T/Wait", [&](ServerCall& call, const Cancel& cancel) -> Status {
    auto message = call.Read(cancel);
    seen = !message;
    return {};
  });
  StartServer();
  CancelSource source;
  auto call = channel_->Start("/t.T/Wait", {});
  TaskGroup stopper(cancel_);
  stopper.Start("stopper", [&](const Cancel& cancel) -> Result<> {
    cancel.SleepFor(std::chrono::milliseconds(50));
    source.Request(Error(ErrorCode::kCancelled, "the user said stop"));
    return {};
  });
  Status status = call->Finish(source.cancel());
  EXPECT_EQ(status.code, Code::kCancelled);
  EXPECT_EQ(status.message, "the user said stop");
  for (int i = 0; i < 200 && !seen; ++i)
    cancel_.SleepFor(std::chrono::milliseconds(10));
  EXPECT_TRUE(seen);
}

TEST_F(GrpcTest, ACallThatRunsOutOfTimeIsNotOneThatTheUserCancelled) {
  table_.Add("/t.T/Wait", [&](ServerCall& call, const Cancel& cancel) -> Status {
    (void)call.Read(cancel);
    return {};
  });
  StartServer();
  auto call = channel_->Start("/t.T/Wait", {});
  Status status = call->Finish(cancel_.WithTimeout(std::chrono::milliseconds(20), "no answer"));
  EXPECT_EQ(status.code, Code::kDeadlineExceeded);
  EXPECT_EQ(ToError(status).code(), ErrorCode::kTimeout);
  EXPECT_EQ(status.message, "timed out: no answer");
}

TEST(Serve, CanBeStoppedWhileCallsArrive) {
  ServiceTable table;
  table.Add("/t.T/Hit", UnaryHandler([](const Metadata&, const std::string&, std::string&,
                                        const Cancel&) { return Status{}; }));
  Cancel cancel = Cancel::Never().WithTimeout(std::chrono::seconds(60), "test");
  for (int i = 0; i < 100; ++i) {
    int fds[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    auto channel = MakeChannel(MakeSocketStream(Fd(fds[0])), "localhost");
    TaskGroup server(cancel);
    server.Start("server", [&](const Cancel& stop) {
      (void)Serve(MakeSocketStream(Fd(fds[1])), table, stop);
      return Result<>();
    });
    std::vector<std::unique_ptr<ClientCall>> calls;
    for (int j = 0; j < 90; ++j)
      calls.push_back(channel->Start("/t.T/Hit", {}));
    if (i % 2 == 0) cancel.SleepFor(std::chrono::microseconds(i * 10));
    server.Stop(Error(ErrorCode::kCancelled, "test"));
    EXPECT_TRUE(server.Wait());
  }
}

TEST_F(GrpcTest, LosingTheConnectionEndsAllCalls) {
  table_.Add("/t.T/Wait", [&](ServerCall& call, const Cancel& cancel) -> Status {
    (void)call.Read(cancel);
    return {};
  });
  StartServer();
  auto call = channel_->Start("/t.T/Wait", {});
  server_.Stop(Error(ErrorCode::kCancelled, "test"));
  Status status = call->Finish(cancel_);
  EXPECT_FALSE(status.ok());
  for (int i = 0; i < 200 && channel_->Alive(); ++i)
    cancel_.SleepFor(std::chrono::milliseconds(10));
  ASSERT_FALSE(channel_->Alive());
  std::string response;
  EXPECT_EQ(Unary("/t.T/Wait", "", response).code, Code::kUnavailable);
}

TEST_F(GrpcTest, ThousandsOfShortCallsReuseThreads) {
  std::atomic<int> count{0};
  table_.Add("/t.T/Hit",
             UnaryHandler([&](const Metadata&, const std::string&, std::string&, const Cancel&) {
               ++count;
               return Status{};
             }));
  StartServer();
  for (int i = 0; i < 3000; ++i) {
    std::string response;
    ASSERT_TRUE(Unary("/t.T/Hit", "", response).ok());
  }
  EXPECT_EQ(count, 3000);
}

/// The frames of a peer, to be written by hand.
constexpr std::string_view kNoSettings("\0\0\0\4\0\0\0\0\0", 9);
constexpr std::string_view kPing("\0\0\x8\6\0\0\0\0\0pingpong", 17);

TEST(Channel, APeerThatDoesNotSpeakHttp2IsToldApart) {
  int fds[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
  Fd peer(fds[1]);
  constexpr std::string_view kAnswer = "HTTP/1.1 400 Bad Request\r\n\r\n";
  ASSERT_EQ(::write(peer.get(), kAnswer.data(), kAnswer.size()),
            static_cast<ssize_t>(kAnswer.size()));
  auto channel = MakeChannel(MakeSocketStream(Fd(fds[0])), "localhost");
  std::string response;
  Cancel cancel = Cancel::Never().WithTimeout(std::chrono::seconds(5), "test");
  EXPECT_FALSE(channel->Unary("/t.T/X", {}, "", response, cancel).ok());
  Result<> alive = channel->Alive();
  ASSERT_FALSE(alive);
  EXPECT_NE(alive.error().message().find("HTTP/2"), std::string::npos) << alive.error().message();
}

TEST(Channel, ACallAfterGoawayFailsWhileEarlierOnesGoOn) {
  int fds[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
  Fd peer(fds[1]);
  Cancel cancel = Cancel::Never().WithTimeout(std::chrono::seconds(5), "test");
  auto channel = MakeChannel(MakeSocketStream(Fd(fds[0])), "localhost");
  auto earlier = channel->Start("/t.T/Earlier", {});
  ASSERT_TRUE(earlier->Write({Bytes("its message")}, cancel));
  ASSERT_NE(test::ReadUntil(peer.get(), "its message", cancel).find("its message"),
            std::string::npos);
  // GOAWAY (last stream 1, no error) and a PING, whose answer tells that all was read.
  constexpr std::string_view kGoaway("\0\0\x8\7\0\0\0\0\0\0\0\0\1\0\0\0\0", 17);
  std::string frames = Cat(kNoSettings, kGoaway, kPing);
  ASSERT_EQ(::write(peer.get(), frames.data(), frames.size()), static_cast<ssize_t>(frames.size()));
  std::string seen = test::ReadUntil(peer.get(), "pingpong", cancel);
  ASSERT_NE(seen.find("pingpong"), std::string::npos);
  auto later = channel->Start("/t.T/Later", {});
  Status status = later->Finish(cancel);
  EXPECT_EQ(status.code, Code::kUnavailable) << status.message;
  EXPECT_TRUE(channel->Alive());
  Cancel soon = cancel.WithTimeout(std::chrono::milliseconds(50), "alive");
  EXPECT_EQ(earlier->Finish(soon).code, Code::kDeadlineExceeded);
}

TEST(Channel, AResetIsToldLikeTheEndThatItStandsFor) {
  test::Listener listener;
  Cancel cancel = Cancel::Never().WithTimeout(std::chrono::seconds(5), "test");
  Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(listener.port());
  ASSERT_EQ(::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  auto channel = MakeChannel(MakeSocketStream(std::move(socket)), "localhost");
  {
    Fd peer = listener.Accept(cancel);
    ASSERT_TRUE(WaitForFd(peer.get(), POLLIN, cancel));  // and close it with that unread
  }
  auto call = channel->Start("/t.T/X", {});
  EXPECT_EQ(call->Finish(cancel).code, Code::kUnavailable);
  Result<> alive = channel->Alive();
  ASSERT_FALSE(alive);
  EXPECT_NE(alive.error().message().find("the peer closed the connection"), std::string::npos)
      << alive.error().message();
}

TEST(Channel, TheAnswerToAPingComesBehindTheDataThatIsReady) {
  int fds[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
  Fd peer(fds[1]);
  Cancel cancel = Cancel::Never().WithTimeout(std::chrono::seconds(5), "test");
  auto channel = MakeChannel(MakeSocketStream(Fd(fds[0])), "localhost");
  auto call = channel->Start("/t.T/Long", {});
  // The windows of HTTP/2 begin with 65,535 bytes: the rest has to wait.
  std::string message = std::string(65'535 - 5, 'x') + "the first of the rest" +
                        std::string(20'000, 'x') + "the last of the rest";
  ASSERT_TRUE(call->Write({Bytes(message)}, cancel));
  std::string begin = test::ReadUntil(peer.get(), "xxx", cancel);
  ASSERT_NE(begin.find("xxx"), std::string::npos);
  constexpr std::string_view kWindows(
      "\0\0\4\x8\0\0\0\0\0\0\1\0\0"
      "\0\0\4\x8\0\0\0\0\1\0\1\0\0",
      26);
  std::string frames = Cat(kNoSettings, kPing, kWindows);
  ASSERT_EQ(::write(peer.get(), frames.data(), frames.size()), static_cast<ssize_t>(frames.size()));
  std::string seen = test::ReadUntil(peer.get(), "pingpong", cancel);
  EXPECT_NE(seen.find("the last of the rest"), std::string::npos) << seen.size();
  EXPECT_NE(seen.find("pingpong"), std::string::npos);
}

TEST(Channel, AFloodOfPingsEndsTheConnection) {
  int fds[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
  Fd peer(fds[1]);
  Cancel cancel = Cancel::Never().WithTimeout(std::chrono::seconds(5), "test");
  auto channel = MakeChannel(MakeSocketStream(Fd(fds[0])), "localhost");
  auto call = channel->Start("/t.T/X", {});
  std::string frames(kNoSettings);
  for (int i = 0; i < 1000; ++i)
    frames += kPing;
  ASSERT_EQ(::write(peer.get(), frames.data(), frames.size()), static_cast<ssize_t>(frames.size()));
  EXPECT_EQ(call->Finish(cancel).code, Code::kUnavailable);
  Result<> alive = channel->Alive();
  ASSERT_FALSE(alive);
  EXPECT_NE(alive.error().message().find("PINGs"), std::string::npos) << alive.error().message();
}

}  // namespace
}  // namespace depot::rpc
