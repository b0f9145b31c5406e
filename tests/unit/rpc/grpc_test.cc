#include <atomic>
#include <numeric>

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include "driver/base/task_group.h"
#include "driver/base/text.h"
#include "driver/rpc/channel.h"
#include "driver/rpc/server.h"
#include "tests/unit/rpc/loopback.h"

namespace depot::rpc::grpc_test {
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
  for (int i = 0; i < 30000; ++i)
    metadata.Add("exclude-patterns", std::string(100, static_cast<char>('!' + i % 90)));
  std::string response;
  Status status = channel_->Unary("/t.T/Count", metadata, "", response, cancel_);
  ASSERT_TRUE(status.ok()) << status.message;
  EXPECT_EQ(response, "3000000");
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

/// A client channel whose peer is played by hand.
class ChannelTest : public ::testing::Test {
 protected:
  static constexpr std::string_view kNoSettings{"\0\0\0\4\0\0\0\0\0", 9};
  static constexpr std::string_view kPing{"\0\0\x8\6\0\0\0\0\0pingpong", 17};

  void SetUp() override {
    int fds[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    peer_ = Fd(fds[1]);
    channel_ = MakeChannel(MakeSocketStream(Fd(fds[0])), "localhost");
  }

  void PeerWrites(const std::string& bytes) {
    ASSERT_EQ(::write(peer_.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  }

  /// What the peer reads until `enough` has come.
  std::string PeerReads(const std::string& enough) {
    std::string seen = test::ReadUntil(peer_.get(), enough, cancel_);
    EXPECT_NE(seen.find(enough), std::string::npos) << seen.size();
    return seen;
  }

  void ExpectGone(std::string_view reason) {
    Result<> alive = channel_->Alive();
    ASSERT_FALSE(alive);
    EXPECT_NE(alive.error().message().find(reason), std::string::npos) << alive.error().message();
  }

  Cancel cancel_ = Cancel::Never().WithTimeout(std::chrono::seconds(5), "test");
  Fd peer_;
  std::unique_ptr<Channel> channel_;
};

TEST_F(ChannelTest, APeerThatDoesNotSpeakHttp2IsToldApart) {
  PeerWrites("HTTP/1.1 400 Bad Request\r\n\r\n");
  std::string response;
  EXPECT_FALSE(channel_->Unary("/t.T/X", {}, "", response, cancel_).ok());
  ExpectGone("HTTP/2");
}

TEST_F(ChannelTest, ACallAfterGoawayFailsWhileEarlierOnesGoOn) {
  auto earlier = channel_->Start("/t.T/Earlier", {});
  ASSERT_TRUE(earlier->Write({Bytes("its message")}, cancel_));
  PeerReads("its message");
  // GOAWAY (last stream 1, no error) and a PING, whose answer tells that all was read.
  constexpr std::string_view kGoaway("\0\0\x8\7\0\0\0\0\0\0\0\0\1\0\0\0\0", 17);
  PeerWrites(Cat(kNoSettings, kGoaway, kPing));
  PeerReads("pingpong");
  auto later = channel_->Start("/t.T/Later", {});
  Status status = later->Finish(cancel_);
  EXPECT_EQ(status.code, Code::kUnavailable) << status.message;
  EXPECT_TRUE(channel_->Alive());
  Cancel soon = cancel_.WithTimeout(std::chrono::milliseconds(50), "alive");
  EXPECT_EQ(earlier->Finish(soon).code, Code::kDeadlineExceeded);
}

TEST_F(ChannelTest, AfterGoawayTheLastCallEndsTheConnection) {
  auto call = channel_->Start("/t.T/Last", {});
  ASSERT_TRUE(call->Write({Bytes("its message")}, cancel_));
  PeerReads("its message");
  constexpr std::string_view kGoaway("\0\0\x8\7\0\0\0\0\0\0\0\0\1\0\0\0\0", 17);
  constexpr std::string_view kReset("\0\0\4\3\0\0\0\0\1\0\0\0\x8", 13);
  PeerWrites(Cat(kNoSettings, kGoaway, kReset));
  EXPECT_EQ(call->Finish(cancel_).code, Code::kCancelled);
  // A server that shuts down waits for that.
  char bytes[1024];
  ssize_t size = 1;
  while (size > 0 && WaitForFd(peer_.get(), POLLIN, cancel_))
    size = ::read(peer_.get(), bytes, sizeof bytes);
  EXPECT_EQ(size, 0) << "the connection is still open";
}

TEST_F(ChannelTest, AResetIsToldLikeTheEndThatItStandsFor) {
  ASSERT_TRUE(WaitForFd(peer_.get(), POLLIN, cancel_));
  peer_ = Fd();  // with that unread
  auto call = channel_->Start("/t.T/X", {});
  EXPECT_EQ(call->Finish(cancel_).code, Code::kUnavailable);
  ExpectGone("the peer closed the connection");
}

TEST_F(ChannelTest, TheAnswerToAPingComesBehindTheDataThatIsReady) {
  auto call = channel_->Start("/t.T/Long", {});
  // The windows of HTTP/2 begin with 65,535 bytes: the rest has to wait.
  std::string message = Cat("its beginning", std::string(65'535, 'x'), "and the last of the rest");
  ASSERT_TRUE(call->Write({Bytes(message)}, cancel_));
  PeerReads("its beginning");
  constexpr std::string_view kWindows(
      "\0\0\4\x8\0\0\0\0\0\0\1\0\0"
      "\0\0\4\x8\0\0\0\0\1\0\1\0\0",
      26);
  PeerWrites(Cat(kNoSettings, kPing, kWindows));
  std::string seen = PeerReads("pingpong");
  EXPECT_LT(seen.find("the last of the rest"), seen.find("pingpong"));
}

TEST_F(ChannelTest, AFloodOfPingsEndsTheConnection) {
  auto call = channel_->Start("/t.T/X", {});
  std::string frames(kNoSettings);
  for (int i = 0; i < 1000; ++i)
    frames += kPing;
  PeerWrites(frames);
  EXPECT_EQ(call->Finish(cancel_).code, Code::kUnavailable);
  ExpectGone("PINGs");
}

}  // namespace
}  // namespace depot::rpc::grpc_test
