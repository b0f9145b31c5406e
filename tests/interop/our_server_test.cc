// Our server against a real grpc::Channel. The names are those of gRPC's interoperability test
// descriptions (grpc/doc/interop-test-descriptions.md) where there is one.

#include <atomic>

#include <gtest/gtest.h>

#include "driver/base/encode.h"
#include "driver/base/text.h"
#include "driver/rpc/server.h"
#include "tests/interop/grpc_peer.h"

namespace depot::interop {
namespace {

using namespace std::chrono_literals;
using rpc::Code;
using rpc::Metadata;
using rpc::ServerCall;
using rpc::Status;

constexpr const char* kUnary = "/grpc.testing.TestService/UnaryCall";
constexpr const char* kStream = "/grpc.testing.TestService/FullDuplexCall";

Status Echo(ServerCall& call, const Cancel& cancel) {
  while (true) {
    auto message = call.Read(cancel);
    if (!message) return rpc::ToStatus(message.error());
    if (!*message) return {};
    auto written = call.Write({rpc::Bytes(**std::move(message))}, cancel);
    if (!written) return rpc::ToStatus(written.error());
  }
}

class OurServer : public testing::Test {
 protected:
  void Serve() {
    auto [ours, theirs] = SocketPair();
    stream_ = rpc::MakeSocketStream(std::move(ours));
    threads_.Start("server", [this](const Cancel& cancel) -> Result<> {
      (void)rpc::Serve(std::move(stream_), table_, cancel);
      return {};
    });
    grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(-1);
    arguments.SetMaxSendMessageSize(-1);
    arguments.SetInt(GRPC_ARG_MAX_METADATA_SIZE, 8 << 20);
    arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, keepalive_ms_);
    arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
    channel_ = grpc::CreateCustomInsecureChannelFromFd("localhost", theirs.Release(), arguments);
  }

  ~OurServer() override {
    channel_.reset();
    threads_.Stop(Error(ErrorCode::kCancelled, "the test is over"));
    (void)threads_.Wait();
  }

  grpc::Status Ask(
      const std::string& method,
      const std::string& request,
      const RealCall::Prepare& prepare = [](grpc::ClientContext&) {}) {
    RealCall call(channel_, method, prepare);
    response_ = "no response";
    (void)(call.Write(request) && call.WritesDone());
    (void)call.Read(response_);
    return call.Finish();
  }

  void AnswerWith(const Status& status) {
    table_.Add(kUnary, [status](ServerCall&, const Cancel&) { return status; });
  }

  rpc::ServiceTable table_;
  int keepalive_ms_ = 60'000;
  std::unique_ptr<rpc::ByteStream> stream_;
  std::shared_ptr<grpc::Channel> channel_;
  std::string response_;
  Cancel cancel_ = Cancel::Never().WithTimeout(110s, "the test");
  TaskGroup threads_{cancel_};
};

TEST_F(OurServer, EmptyUnary) {
  table_.Add(kUnary, Echo);
  Serve();
  EXPECT_TRUE(Ask(kUnary, "").ok());
  EXPECT_EQ(response_, "");
}

TEST_F(OurServer, LargeUnary) {
  table_.Add(kUnary, rpc::UnaryHandler([](const Metadata&, const std::string& request,
                                          std::string& response, const Cancel&) {
               EXPECT_EQ(request, std::string(271'828, 'q'));
               response = std::string(314'159, 'a');
               return Status{};
             }));
  Serve();
  EXPECT_TRUE(Ask(kUnary, std::string(271'828, 'q')).ok());
  EXPECT_EQ(response_, std::string(314'159, 'a'));
}

TEST_F(OurServer, MessagesUpToTheLimitAndNotBeyond) {
  table_.Add(kUnary, Echo);
  Serve();
  std::string largest(16 << 20, 'x');
  grpc::Status status = Ask(kUnary, largest);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_TRUE(response_ == largest);
  status = Ask(kUnary, largest + 'x');
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(status.error_message(), "a message of 16777217 bytes came; the limit is 16777216");
  EXPECT_TRUE(Ask(kUnary, "and the connection lives").ok());
}

TEST_F(OurServer, SendsMessagesOf64MiB) {
  table_.Add(kUnary, rpc::UnaryHandler([](const Metadata&, const std::string&,
                                          std::string& response, const Cancel&) {
               response.assign(64 << 20, 'a');
               return Status{};
             }));
  Serve();
  EXPECT_TRUE(Ask(kUnary, "").ok());
  EXPECT_TRUE(response_ == std::string(64 << 20, 'a'));
}

TEST_F(OurServer, ClientStreaming) {
  table_.Add(kStream, [](ServerCall& call, const Cancel& cancel) -> Status {
    std::size_t total = 0;
    while (true) {
      auto message = call.Read(cancel);
      if (!message) return rpc::ToStatus(message.error());
      if (!*message) break;
      total += (*message)->size();
    }
    (void)call.Write({rpc::Bytes(std::to_string(total))}, cancel);
    return {};
  });
  Serve();
  RealCall call(channel_, kStream);
  for (std::size_t size : {27182, 8, 1828, 45904})
    ASSERT_TRUE(call.Write(std::string(size, 'x')));
  ASSERT_TRUE(call.WritesDone());
  EXPECT_TRUE(call.Read(response_));
  EXPECT_EQ(response_, "74922");
  EXPECT_TRUE(call.Finish().ok());
}

TEST_F(OurServer, ServerStreaming) {
  const std::vector<std::size_t> sizes = {31415, 9, 2653, 58979};
  table_.Add(kStream, [&](ServerCall& call, const Cancel& cancel) -> Status {
    for (std::size_t size : sizes)
      (void)call.Write({rpc::Bytes(std::string(size, 'x'))}, cancel);
    return {};
  });
  Serve();
  RealCall call(channel_, kStream);
  ASSERT_TRUE(call.WritesDone());
  for (std::size_t size : sizes) {
    ASSERT_TRUE(call.Read(response_));
    EXPECT_EQ(response_, std::string(size, 'x'));
  }
  EXPECT_FALSE(call.Read(response_));
  EXPECT_TRUE(call.Finish().ok());
}

TEST_F(OurServer, PingPong) {
  table_.Add(kStream, Echo);
  Serve();
  RealCall call(channel_, kStream);
  for (std::size_t size : {27182, 8, 1828, 45904}) {
    ASSERT_TRUE(call.Write(std::string(size, 'x')));
    ASSERT_TRUE(call.Read(response_));
    EXPECT_EQ(response_, std::string(size, 'x'));
  }
  ASSERT_TRUE(call.WritesDone());
  EXPECT_FALSE(call.Read(response_));
  EXPECT_TRUE(call.Finish().ok());
}

TEST_F(OurServer, EmptyStream) {
  table_.Add(kStream, Echo);
  Serve();
  RealCall call(channel_, kStream);
  ASSERT_TRUE(call.WritesDone());
  EXPECT_FALSE(call.Read(response_));
  EXPECT_TRUE(call.Finish().ok());
}

TEST_F(OurServer, CustomMetadata) {
  table_.Add(kUnary, rpc::UnaryHandler([](const Metadata& metadata, const std::string&,
                                          std::string& response, const Cancel&) {
               response = Cat(metadata.Get("x-grpc-test-echo-initial").value_or("none"), ' ',
                              Hex(metadata.Get("x-grpc-test-echo-trailing-bin").value_or("")));
               return Status{};
             }));
  Serve();
  EXPECT_TRUE(Ask(kUnary, "", [](grpc::ClientContext& context) {
                context.AddMetadata("x-grpc-test-echo-initial", "test_initial_metadata_value");
                context.AddMetadata("x-grpc-test-echo-trailing-bin", "\xab\xab\xab");
              }).ok());
  EXPECT_EQ(LowerAscii(response_), "test_initial_metadata_value ababab");
}

TEST_F(OurServer, MebibytesOfMetadata) {
  table_.Add(kUnary, rpc::UnaryHandler([](const Metadata& metadata, const std::string&,
                                          std::string& response, const Cancel&) {
               std::size_t total = 0;
               for (const auto& [key, value] : metadata.entries())
                 total += key == "pattern" ? value.size() : 0;
               response = std::to_string(total);
               return Status{};
             }));
  Serve();
  for (int count : {16'384, 49'152}) {
    grpc::Status status = Ask(kUnary, "", [count](grpc::ClientContext& context) {
      for (int i = 0; i < count; ++i)
        context.AddMetadata("pattern", std::string(64, static_cast<char>('a' + i % 26)));
    });
    EXPECT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(response_, std::to_string(count * 64));
  }
}

TEST_F(OurServer, StatusCodeAndMessage) {
  AnswerWith({Code::kUnknown, "test status message", ""});
  table_.Add(kStream, [](ServerCall&, const Cancel&) -> Status {
    return {Code::kUnknown, "test status message", ""};
  });
  Serve();
  for (const char* method : {kUnary, kStream}) {
    grpc::Status status = Ask(method, "x");
    EXPECT_EQ(status.error_code(), grpc::StatusCode::UNKNOWN);
    EXPECT_EQ(status.error_message(), "test status message");
  }
}

TEST_F(OurServer, SpecialStatusMessage) {
  const std::string message =
      "\t\ntest with whitespace\r\nand Unicode BMP \xE2\x98\xBA and non-BMP \xF0\x9F\x98\x88\t\n";
  AnswerWith({Code::kUnknown, message, ""});
  Serve();
  grpc::Status status = Ask(kUnary, "x");
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNKNOWN);
  EXPECT_EQ(status.error_message(), message);
}

TEST_F(OurServer, StatusWithDetails) {
  std::string details("\x08\x05 raw \0\xff bytes", 14);
  AnswerWith({Code::kNotFound, "gone", details});
  Serve();
  grpc::Status status = Ask(kUnary, "x");
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(status.error_details(), details);
}

TEST_F(OurServer, UnimplementedMethod) {
  AnswerWith({});
  Serve();
  EXPECT_EQ(Ask("/grpc.testing.TestService/UnimplementedCall", "").error_code(),
            grpc::StatusCode::UNIMPLEMENTED);
}

TEST_F(OurServer, UnimplementedService) {
  AnswerWith({});
  Serve();
  EXPECT_EQ(Ask("/grpc.testing.UnimplementedService/UnimplementedCall", "").error_code(),
            grpc::StatusCode::UNIMPLEMENTED);
}

TEST_F(OurServer, CancelAfterBegin) {
  std::atomic<bool> seen{false};
  table_.Add(kStream, [&](ServerCall& call, const Cancel& cancel) -> Status {
    seen = !call.Read(cancel);
    return {};
  });
  Serve();
  RealCall call(channel_, kStream);
  call.context.TryCancel();
  EXPECT_EQ(call.Finish().error_code(), grpc::StatusCode::CANCELLED);
  while (!seen && cancel_.SleepFor(5ms)) {
  }
  EXPECT_TRUE(seen);
}

TEST_F(OurServer, CancelAfterFirstResponse) {
  table_.Add(kStream, Echo);
  Serve();
  RealCall call(channel_, kStream);
  ASSERT_TRUE(call.Write("first"));
  ASSERT_TRUE(call.Read(response_));
  call.context.TryCancel();
  EXPECT_EQ(call.Finish().error_code(), grpc::StatusCode::CANCELLED);
  EXPECT_TRUE(Ask(kStream, "and the connection lives").ok());
}

TEST_F(OurServer, TimeoutOnSleepingServer) {
  std::atomic<bool> seen{false};
  table_.Add(kStream, [&](ServerCall& call, const Cancel& cancel) -> Status {
    auto message = call.Read(cancel);
    while (message && *message)
      message = call.Read(cancel);
    seen = !message;
    return {};
  });
  Serve();
  RealCall call(channel_, kStream, [](grpc::ClientContext& context) {
    context.set_deadline(std::chrono::system_clock::now() + 50ms);
  });
  (void)call.Write(std::string(27182, 'x'));
  EXPECT_EQ(call.Finish().error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  while (!seen && cancel_.SleepFor(5ms)) {
  }
  EXPECT_TRUE(seen);
}

TEST_F(OurServer, AnEndBeforeTheClientHasSpoken) {
  table_.Add(kStream, [](ServerCall&, const Cancel&) -> Status {
    return {Code::kFailedPrecondition, "not now", ""};
  });
  Serve();
  RealCall call(channel_, kStream);
  // Until the status is here writes may succeed, afterwards they fail.
  while (call.Write(std::string(100'000, 'x'))) {
  }
  EXPECT_EQ(call.Finish().error_message(), "not now");
}

TEST_F(OurServer, MoreCallsThanWeAllowAtATime) {
  table_.Add(kStream, Echo);
  Serve();
  TaskGroup group(cancel_);
  std::atomic<int> good{0};
  for (int i = 0; i < 150; ++i) {
    group.Start("ask", [&](const Cancel&) -> Result<> {
      RealCall call(channel_, kStream);
      std::string text;
      good += call.Write("x") && call.Read(text) && call.WritesDone() && call.Finish().ok();
      return {};
    });
  }
  EXPECT_TRUE(group.Wait());
  EXPECT_EQ(good, 150);
}

TEST_F(OurServer, GoesWhileACallRuns) {
  table_.Add(kStream, Echo);
  Serve();
  RealCall call(channel_, kStream);
  ASSERT_TRUE(call.Write("first"));
  ASSERT_TRUE(call.Read(response_));
  threads_.Stop(Error(ErrorCode::kCancelled, "the session has ended"));
  EXPECT_FALSE(call.Read(response_));
  grpc::StatusCode code = call.Finish().error_code();
  EXPECT_TRUE(code == grpc::StatusCode::UNAVAILABLE || code == grpc::StatusCode::CANCELLED) << code;
}

TEST_F(OurServer, ACompressedMessageIsRefused) {
  table_.Add(kUnary, Echo);
  Serve();
  grpc::Status status = Ask(kUnary, std::string(100'000, 'x'), [](grpc::ClientContext& context) {
    context.set_compression_algorithm(GRPC_COMPRESS_GZIP);
  });
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNIMPLEMENTED);
  EXPECT_EQ(status.error_message(), "a compressed message came, and none was asked for");
}

TEST_F(OurServer, KeepalivePingsAreAnswered) {
  keepalive_ms_ = 20;
  table_.Add(kStream, Echo);
  Serve();
  RealCall call(channel_, kStream);
  (void)cancel_.SleepFor(200ms);
  ASSERT_TRUE(call.Write("alive"));
  EXPECT_TRUE(call.Read(response_));
  EXPECT_EQ(response_, "alive");
}

TEST_F(OurServer, ASlowReaderHoldsBackItsOwnStreamOnly) {
  std::atomic<int> written{0};
  table_.Add(kStream, [&](ServerCall& call, const Cancel& cancel) -> Status {
    for (int i = 0; i < 64; ++i, ++written) {
      auto put =
          call.Write({rpc::Bytes(std::string(1 << 20, static_cast<char>('a' + i % 26)))}, cancel);
      if (!put) return rpc::ToStatus(put.error());
    }
    return {};
  });
  table_.Add(kUnary, Echo);
  Serve();
  RealCall call(channel_, kStream);
  ASSERT_TRUE(call.WritesDone());
  for (int i = 0; i < 20; ++i)
    ASSERT_TRUE(Ask(kUnary, "meanwhile").ok());
  EXPECT_LT(written, 64);
  for (int i = 0; i < 64; ++i) {
    ASSERT_TRUE(call.Read(response_));
    ASSERT_TRUE(response_ == std::string(1 << 20, static_cast<char>('a' + i % 26))) << i;
  }
  EXPECT_TRUE(call.Finish().ok());
}

}  // namespace
}  // namespace depot::interop
