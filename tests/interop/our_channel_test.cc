// Our channel against a real grpc::Server. The names are those of gRPC's interoperability test
// descriptions (grpc/doc/interop-test-descriptions.md) where there is one.

#include <atomic>

#include <gtest/gtest.h>

#include "driver/base/encode.h"
#include "driver/base/text.h"
#include "driver/rpc/channel.h"
#include "driver/rpc/gzip.h"
#include "tests/interop/grpc_peer.h"

namespace depot::interop {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
using rpc::Code;
using rpc::Metadata;

constexpr const char* kUnary = "/grpc.testing.TestService/UnaryCall";
constexpr const char* kStream = "/grpc.testing.TestService/FullDuplexCall";

void Echo(ServedCall& call) {
  std::string text;
  while (call.Read(text))
    call.Write(text);
  call.Finish(grpc::Status::OK);
}

/// Waits until the client half-closes or cancels.
void Idle(ServedCall& call) {
  std::string text;
  while (call.Read(text)) {
  }
  call.Finish(grpc::Status::OK);
}

class OurChannel : public testing::Test {
 protected:
  void Serve(
      RealServer::Handlers handlers,
      const std::function<void(grpc::ServerBuilder&)>& configure = [](grpc::ServerBuilder&) {}) {
    server_ = std::make_unique<RealServer>(std::move(handlers), configure);
    channel_ = rpc::MakeChannel(rpc::MakeSocketStream(server_->Connect()), "localhost");
  }

  ~OurChannel() override { channel_.reset(); }

  rpc::Status Unary(const std::string& request, const Metadata& metadata = {}) {
    response_ = "no response";
    return channel_->Unary(kUnary, metadata, request, response_, cancel_);
  }

  static Result<> Put(rpc::ClientCall& call, std::string text, const Cancel& cancel) {
    return call.Write({rpc::Bytes(std::move(text))}, cancel);
  }

  std::string Next(rpc::ClientCall& call) {
    auto message = call.Read(cancel_);
    if (!message) return Cat("failed: ", message.error().message());
    return message->value_or("the end");
  }

  Cancel cancel_ = Cancel::Never().WithTimeout(110s, "the test");
  std::unique_ptr<RealServer> server_;
  std::unique_ptr<rpc::Channel> channel_;
  std::string response_;
};

TEST_F(OurChannel, EmptyUnary) {
  Serve({{kUnary, Echo}});
  EXPECT_TRUE(Unary("").ok());
  EXPECT_EQ(response_, "");
}

TEST_F(OurChannel, LargeUnary) {
  Serve({{kUnary, [](ServedCall& call) {
            std::string text;
            EXPECT_TRUE(call.Read(text));
            EXPECT_EQ(text, std::string(271'828, 'q'));
            call.Write(std::string(314'159, 'a'));
            call.Finish(grpc::Status::OK);
          }}});
  EXPECT_TRUE(Unary(std::string(271'828, 'q')).ok());
  EXPECT_EQ(response_, std::string(314'159, 'a'));
}

TEST_F(OurChannel, MessagesUpToTheLimitAndNotBeyond) {
  Serve({{kUnary, Echo}});
  std::string largest(64 << 20, 'x');
  rpc::Status status = Unary(largest);
  ASSERT_TRUE(status.ok()) << status.message;
  EXPECT_TRUE(response_ == largest);
  status = Unary(largest + 'x');
  EXPECT_EQ(status.code, Code::kResourceExhausted);
  EXPECT_EQ(status.message, "a message of 67108865 bytes came; the limit is 67108864");
  EXPECT_TRUE(Unary("and the connection lives").ok());
}

TEST_F(OurChannel, ClientStreaming) {
  Serve({{kStream, [](ServedCall& call) {
            std::size_t total = 0;
            for (std::string text; call.Read(text);)
              total += text.size();
            call.Write(std::to_string(total));
            call.Finish(grpc::Status::OK);
          }}});
  auto call = channel_->Start(kStream, {});
  for (std::size_t size : {27182, 8, 1828, 45904})
    ASSERT_TRUE(Put(*call, std::string(size, 'x'), cancel_));
  call->CloseWrites();
  EXPECT_EQ(Next(*call), "74922");
  EXPECT_EQ(Next(*call), "the end");
  EXPECT_TRUE(call->Finish(cancel_).ok());
}

TEST_F(OurChannel, ServerStreaming) {
  const std::vector<std::size_t> sizes = {31415, 9, 2653, 58979};
  Serve({{kStream, [&](ServedCall& call) {
            for (std::size_t size : sizes)
              call.Write(std::string(size, 'x'));
            call.Finish(grpc::Status::OK);
          }}});
  auto call = channel_->Start(kStream, {});
  call->CloseWrites();
  for (std::size_t size : sizes)
    EXPECT_EQ(Next(*call), std::string(size, 'x'));
  EXPECT_EQ(Next(*call), "the end");
  EXPECT_TRUE(call->Finish(cancel_).ok());
}

TEST_F(OurChannel, PingPong) {
  Serve({{kStream, Echo}});
  auto call = channel_->Start(kStream, {});
  for (std::size_t size : {27182, 8, 1828, 45904}) {
    ASSERT_TRUE(Put(*call, std::string(size, 'x'), cancel_));
    EXPECT_EQ(Next(*call), std::string(size, 'x'));
  }
  call->CloseWrites();
  EXPECT_EQ(Next(*call), "the end");
  EXPECT_TRUE(call->Finish(cancel_).ok());
}

TEST_F(OurChannel, EmptyStream) {
  Serve({{kStream, Echo}});
  auto call = channel_->Start(kStream, {});
  call->CloseWrites();
  EXPECT_EQ(Next(*call), "the end");
  EXPECT_TRUE(call->Finish(cancel_).ok());
}

TEST_F(OurChannel, CustomMetadata) {
  Serve({{kUnary, [](ServedCall& call) {
            call.context.AddInitialMetadata("x-grpc-test-echo-initial",
                                            call.Metadata("x-grpc-test-echo-initial"));
            call.context.AddTrailingMetadata("x-grpc-test-echo-trailing-bin",
                                             call.Metadata("x-grpc-test-echo-trailing-bin"));
            std::string text;
            call.Read(text);
            call.Write(Cat(call.Metadata("x-grpc-test-echo-initial"), ' ',
                           Hex(call.Metadata("x-grpc-test-echo-trailing-bin"))));
            call.Finish(grpc::Status::OK);
          }}});
  rpc::Status status = Unary("", {{"x-grpc-test-echo-initial", "test_initial_metadata_value"},
                                  {"x-grpc-test-echo-trailing-bin", "\xab\xab\xab"}});
  EXPECT_TRUE(status.ok()) << status.message;
  EXPECT_EQ(LowerAscii(response_), "test_initial_metadata_value ababab");
}

TEST_F(OurChannel, AMebibyteOfMetadata) {
  Serve({{kUnary, [](ServedCall& call) {
            std::size_t total = 0;
            for (const auto& [key, value] : call.context.client_metadata())
              total += key == "pattern" ? value.size() : 0;
            std::string text;
            call.Read(text);
            call.Write(std::to_string(total));
            call.Finish(grpc::Status::OK);
          }}});
  Metadata metadata;
  for (int i = 0; i < 16'384; ++i)
    metadata.Add("pattern", std::string(64, static_cast<char>('a' + i % 26)));
  rpc::Status status = Unary("", metadata);
  EXPECT_TRUE(status.ok()) << status.message;
  EXPECT_EQ(response_, "1048576");
}

TEST_F(OurChannel, ValuesOfAMebibyte) {
  const std::string details = std::string(1 << 20, 'd') + "\0\xff the end"s;
  Serve({{kUnary, [&](ServedCall& call) {
            const std::string sent = call.Metadata("long");
            call.Finish({grpc::StatusCode::UNKNOWN, std::to_string(sent.size()), details});
          }}});
  // The connection goes on.
  for (int i = 0; i < 2; ++i) {
    rpc::Status status = Unary("", {{"long", std::string(1 << 20, 'v')}});
    EXPECT_EQ(status.message, "1048576");
    EXPECT_TRUE(status.details == details) << status.details.size();
  }
}

TEST_F(OurChannel, StatusCodeAndMessage) {
  auto refuse = [](ServedCall& call) {
    std::string text;
    call.Read(text);
    call.Finish({grpc::StatusCode::UNKNOWN, "test status message"});
  };
  Serve({{kUnary, refuse}, {kStream, refuse}});
  for (const char* method : {kUnary, kStream}) {
    rpc::Status status = channel_->Unary(method, {}, "x", response_, cancel_);
    EXPECT_EQ(status.code, Code::kUnknown);
    EXPECT_EQ(status.message, "test status message");
  }
}

TEST_F(OurChannel, SpecialStatusMessage) {
  const std::string message =
      "\t\ntest with whitespace\r\nand Unicode BMP \xE2\x98\xBA and non-BMP \xF0\x9F\x98\x88\t\n";
  Serve({{kUnary, [&](ServedCall& call) { call.Finish({grpc::StatusCode::UNKNOWN, message}); }}});
  rpc::Status status = Unary("");
  EXPECT_EQ(status.code, Code::kUnknown);
  EXPECT_EQ(status.message, message);
}

TEST_F(OurChannel, TrailersOnlyWithDetails) {
  std::string details("\x08\x05 raw \0\xff bytes", 14);
  Serve({{kUnary, [&](ServedCall& call) {
            call.Finish({grpc::StatusCode::NOT_FOUND, "gone", details});
          }}});
  rpc::Status status = Unary("");
  EXPECT_EQ(status.code, Code::kNotFound);
  EXPECT_EQ(status.message, "gone");
  EXPECT_EQ(status.details, details);
}

TEST_F(OurChannel, UnimplementedMethod) {
  Serve({});
  EXPECT_EQ(Unary("").code, Code::kUnimplemented);
}

TEST_F(OurChannel, UnimplementedService) {
  Serve({});
  rpc::Status status = channel_->Unary("/grpc.testing.UnimplementedService/UnimplementedCall", {},
                                       "", response_, cancel_);
  EXPECT_EQ(status.code, Code::kUnimplemented);
}

TEST_F(OurChannel, CancelAfterBegin) {
  Serve({{kStream, Idle}});
  CancelSource source(cancel_);
  auto call = channel_->Start(kStream, {});
  source.Request(Error(ErrorCode::kCancelled, "never mind"));
  EXPECT_EQ(call->Finish(source.cancel()).code, Code::kCancelled);
  server_.reset();  // joins its handlers
}

TEST_F(OurChannel, CancelAfterFirstResponse) {
  std::atomic<bool> seen{false};
  Serve({{kStream, [&](ServedCall& call) {
            std::string text;
            call.Read(text);
            call.Write("first");
            seen = !call.Read(text);
            call.Finish(grpc::Status::OK);
          }}});
  auto call = channel_->Start(kStream, {});
  ASSERT_TRUE(Put(*call, "question", cancel_));
  EXPECT_EQ(Next(*call), "first");
  call->Abort();
  EXPECT_EQ(call->Finish(cancel_).code, Code::kCancelled);
  while (!seen && cancel_.SleepFor(5ms)) {
  }
  EXPECT_TRUE(seen);
}

TEST_F(OurChannel, TheServerCancels) {
  Serve({{kStream, [](ServedCall& call) {
            call.context.TryCancel();
            Idle(call);
          }}});
  auto call = channel_->Start(kStream, {});
  rpc::Status status = call->Finish(cancel_);
  EXPECT_EQ(status.code, Code::kCancelled) << status.message;
}

TEST_F(OurChannel, TimeoutOnSleepingServer) {
  Serve({{kStream, Idle}});
  auto call = channel_->Start(kStream, {});
  ASSERT_TRUE(Put(*call, std::string(27182, 'x'), cancel_));
  EXPECT_EQ(call->Finish(cancel_.WithTimeout(20ms, "no answer")).code, Code::kDeadlineExceeded);
}

TEST_F(OurChannel, OneStreamAtATime) {
  Serve({{kStream, Echo}}, [](grpc::ServerBuilder& builder) {
    builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, 1);
  });
  // The limit arrives with the server's SETTINGS: after this call it is known.
  ASSERT_TRUE(channel_->Unary(kStream, {}, "x", response_, cancel_).ok());
  auto first = channel_->Start(kStream, {});
  ASSERT_TRUE(Put(*first, "first", cancel_));
  EXPECT_EQ(Next(*first), "first");
  auto second = channel_->Start(kStream, {});
  ASSERT_TRUE(Put(*second, "second", cancel_));
  auto early = second->Read(cancel_.WithTimeout(50ms, "its turn"));
  EXPECT_FALSE(early);
  first->CloseWrites();
  EXPECT_TRUE(first->Finish(cancel_).ok());
  EXPECT_EQ(Next(*second), "second");
  second->CloseWrites();
  EXPECT_TRUE(second->Finish(cancel_).ok());
}

TEST_F(OurChannel, GoawayWhileACallRuns) {
  Serve({{kStream, Echo}});
  auto call = channel_->Start(kStream, {});
  ASSERT_TRUE(Put(*call, "before", cancel_));
  EXPECT_EQ(Next(*call), "before");
  TaskGroup stopper(cancel_);
  stopper.Start("shutdown", [&](const Cancel&) -> Result<> {
    server_->Shutdown(30s);
    return {};
  });
  // New calls are refused once GOAWAY is here; the server may leave one that comes before it
  // unanswered.
  rpc::Status refused;
  do {
    auto late = channel_->Start(kStream, {});
    late->CloseWrites();
    refused = late->Finish(cancel_.WithTimeout(100ms, "an answer"));
  } while (refused.code != Code::kUnavailable && !cancel_.cancelled());
  EXPECT_EQ(refused.code, Code::kUnavailable) << refused.message;
  ASSERT_TRUE(Put(*call, "after", cancel_));
  EXPECT_EQ(Next(*call), "after");
  call->CloseWrites();
  EXPECT_TRUE(call->Finish(cancel_).ok());
  EXPECT_TRUE(stopper.Wait());
}

TEST_F(OurChannel, TheServerGoesWhileCallsRun) {
  Serve({{kStream, Idle}});
  auto call = channel_->Start(kStream, {});
  ASSERT_TRUE(Put(*call, "x", cancel_));
  server_->Shutdown(0ms);
  rpc::Status status = call->Finish(cancel_);
  EXPECT_TRUE(status.code == Code::kUnavailable || status.code == Code::kCancelled)
      << status.message;
}

TEST_F(OurChannel, ACompressedAnswerIsRefused) {
  Serve({{kUnary, [](ServedCall& call) {
            call.context.set_compression_algorithm(GRPC_COMPRESS_GZIP);
            std::string text;
            call.Read(text);
            call.Write(std::string(100'000, 'x'));
            call.Finish(grpc::Status::OK);
          }}});
  // It compresses although we have not said that we could take it.
  rpc::Status status = Unary("");
  EXPECT_EQ(status.code, Code::kInternal);
  EXPECT_EQ(status.message, "a compressed message came, and none was asked for");
}

TEST_F(OurChannel, EachMessageIsPackedOrNot) {
  Serve({{kStream, [](ServedCall& call) {
            call.context.set_compression_algorithm(GRPC_COMPRESS_GZIP);
            Echo(call);
          }}});
  auto call = channel_->StartPackable(kStream, {});
  rpc::GzipPacker packer;
  for (std::size_t size : {27'182, 8, 0, 4'000'000}) {
    const std::string text(size, 'x');
    ASSERT_TRUE(call->WritePacked(packer.Pack({rpc::Bytes(text)}), cancel_));
    EXPECT_TRUE(Next(*call) == text) << size;
    ASSERT_TRUE(Put(*call, text, cancel_));
    EXPECT_TRUE(Next(*call) == text) << size;
  }
  call->CloseWrites();
  EXPECT_EQ(Next(*call), "the end");
  EXPECT_TRUE(call->Finish(cancel_).ok());
}

TEST_F(OurChannel, APackedCallIsRefusedByWhoDoesNotKnowIt) {
  Serve({{kStream, Echo}}, [](grpc::ServerBuilder& builder) {
    builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_GZIP, false);
  });
  auto call = channel_->StartPackable(kStream, {});
  EXPECT_EQ(Next(*call), "the end");
  const rpc::Status status = call->Finish(cancel_);
  EXPECT_EQ(status.code, Code::kUnimplemented);
  EXPECT_TRUE(status.told);
}

TEST_F(OurChannel, KeepalivePingsAreAnswered) {
  Serve({{kStream, Echo}}, [](grpc::ServerBuilder& builder) {
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 20);
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 5000);
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
    builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  });
  auto call = channel_->Start(kStream, {});
  (void)cancel_.SleepFor(200ms);  // ten of them
  ASSERT_TRUE(Put(*call, "alive", cancel_));
  EXPECT_EQ(Next(*call), "alive");
}

TEST_F(OurChannel, ASlowReaderHoldsBackItsOwnStreamOnly) {
  std::atomic<int> written{0};
  Serve({{kStream,
          [&](ServedCall& call) {
            for (int i = 0; i < 64; ++i, ++written)
              call.Write(std::string(1 << 20, static_cast<char>('a' + i % 26)));
            call.Finish(grpc::Status::OK);
          }},
         {kUnary, Echo}});
  auto call = channel_->Start(kStream, {});
  call->CloseWrites();
  for (int i = 0; i < 20; ++i)
    ASSERT_TRUE(Unary("meanwhile").ok());
  EXPECT_LT(written, 64);
  for (int i = 0; i < 64; ++i)
    ASSERT_TRUE(Next(*call) == std::string(1 << 20, static_cast<char>('a' + i % 26))) << i;
  EXPECT_TRUE(call->Finish(cancel_).ok());
}

}  // namespace
}  // namespace depot::interop
