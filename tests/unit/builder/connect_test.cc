#include "driver/builder/connect.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include "proto/control.pb.h"

#include "driver/base/task_group.h"
#include "driver/event/sink.h"
#include "driver/rpc/server.h"

namespace depot::builder::connect_test {
namespace {

class SilentSink final : public EventSink {
 public:
  void Emit(Event) override {}
};

/// A daemon with one worker, behind whatever a test's `dial` does before it reaches it.
class HoldTest : public ::testing::Test {
 protected:
  HoldTest() {
    table_.Add("/moby.buildkit.v1.Control/ListWorkers",
               rpc::UnaryHandler([](const rpc::Metadata&, const std::string&, std::string& response,
                                    const Cancel&) {
                 moby::buildkit::v1::ListWorkersResponse workers;
                 workers.add_record();
                 response = workers.SerializeAsString();
                 return rpc::Status{};
               }));
    connection_.endpoint = "test";
    connection_.authority = "localhost";
  }

  Result<std::unique_ptr<rpc::ByteStream>> Reach() {
    int fds[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0) {
      return Fail(ErrorCode::kInternal, "socketpair");
    }
    server_.Start("server", [this, socket = fds[1]](const Cancel& cancel) {
      (void)rpc::Serve(rpc::MakeSocketStream(Fd(socket)), table_, cancel);
      return Result<>();
    });
    return rpc::MakeSocketStream(Fd(fds[0]));
  }

  Result<std::unique_ptr<Builder>> HoldFor(int seconds) {
    connection_.patience = std::chrono::seconds(seconds);
    return Hold(connection_, sink_, Cancel::Never());
  }

  SilentSink sink_;
  rpc::ServiceTable table_;
  Connection connection_;
  TaskGroup server_{Cancel::Never()};
};

TEST_F(HoldTest, PatienceIsForRefusalsAndNotForASlowAnswer) {
  connection_.dial = [&](const Cancel& cancel) -> Result<std::unique_ptr<rpc::ByteStream>> {
    if (!cancel.SleepFor(std::chrono::milliseconds(1500))) return Fail(cancel.error());
    return Reach();
  };
  auto builder = HoldFor(1);
  EXPECT_TRUE(builder) << builder.error().message();
}

TEST_F(HoldTest, ARefusalIsTriedAgainUntilPatienceIsOver) {
  int tries = 0;
  connection_.dial = [&](const Cancel&) -> Result<std::unique_ptr<rpc::ByteStream>> {
    if (++tries < 3) return Fail(ErrorCode::kUnavailable, "connection refused");
    return Reach();
  };
  EXPECT_TRUE(HoldFor(5));
  tries = -1000;
  auto begin = Cancel::Clock::now();
  auto builder = HoldFor(1);
  ASSERT_FALSE(builder);
  EXPECT_EQ(builder.error().message(), "builder test: connection refused (tried for 1 s)");
  EXPECT_LT(Cancel::Clock::now() - begin, std::chrono::seconds(4));
}

TEST_F(HoldTest, ADaemonThatTellsOfItselfMakesAttestations) {
  connection_.dial = [&](const Cancel&) { return Reach(); };
  auto before = HoldFor(1);
  ASSERT_TRUE(before);
  EXPECT_FALSE((*before)->features().attestations);
  table_.Add("/moby.buildkit.v1.Control/Info",
             rpc::UnaryHandler([](const rpc::Metadata&, const std::string&, std::string&,
                                  const Cancel&) { return rpc::Status{}; }));
  auto since = HoldFor(1);
  ASSERT_TRUE(since);
  EXPECT_TRUE((*since)->features().attestations);
  connection_.engine = true;
  auto classic = HoldFor(1);
  ASSERT_TRUE(classic);
  EXPECT_FALSE((*classic)->features().attestations);
}

TEST_F(HoldTest, AServerThatCancelsIsNoCancelOfTheUsers) {
  table_.Add(
      "/moby.buildkit.v1.Control/ListWorkers",
      rpc::UnaryHandler([](const rpc::Metadata&, const std::string&, std::string&, const Cancel&) {
        return rpc::Status{rpc::Code::kCancelled, "context canceled", ""};
      }));
  connection_.dial = [&](const Cancel&) { return Reach(); };
  auto builder = HoldFor(1);
  ASSERT_FALSE(builder);
  EXPECT_EQ(builder.error().code(), ErrorCode::kUnavailable);
}

TEST_F(HoldTest, AConnectionThatIsDroppedBeforeTheAnswerIsMadeAgain) {
  int drops = 4;
  int dialled = 0;
  connection_.dial = [&](const Cancel&) -> Result<std::unique_ptr<rpc::ByteStream>> {
    ++dialled;
    if (dialled == 3) return Fail(ErrorCode::kUnavailable, "connection refused");
    if (dialled <= drops) {
      int fds[2];
      if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0) {
        return Fail(ErrorCode::kInternal, "socketpair");
      }
      Fd dropped(fds[1]);
      return rpc::MakeSocketStream(Fd(fds[0]));
    }
    return Reach();
  };
  auto builder = HoldFor(20);
  EXPECT_TRUE(builder) << builder.error().message();
  EXPECT_EQ(dialled, 5);
  // Patience is the bound where there is less of it; without any nothing is made again.
  drops = 1000;
  dialled = 0;
  EXPECT_FALSE(HoldFor(1));
  EXPECT_GT(dialled, 1);
  dialled = 0;
  EXPECT_FALSE(HoldFor(0));
  EXPECT_EQ(dialled, 1);
}

TEST_F(HoldTest, AFinalErrorIsNotTriedAgain) {
  int tries = 0;
  connection_.dial = [&](const Cancel&) -> Result<std::unique_ptr<rpc::ByteStream>> {
    ++tries;
    return Fail(ErrorCode::kDenied, "TLS: no");
  };
  EXPECT_FALSE(HoldFor(5));
  EXPECT_EQ(tries, 1);
}

TEST_F(HoldTest, ALostConnectionIsMadeAgainInPlace) {
  int dialled = 0;
  connection_.dial = [&](const Cancel&) {
    ++dialled;
    return Reach();
  };
  auto builder = HoldFor(1);
  ASSERT_TRUE(builder);
  rpc::Channel& first = (*builder)->channel();
  ASSERT_TRUE((*builder)->Reconnect(Cancel::Never()));
  EXPECT_EQ(&(*builder)->channel(), &first) << "it lives";
  EXPECT_EQ(dialled, 1);
  first.Close(Error(ErrorCode::kUnavailable, "cut"));
  ASSERT_TRUE((*builder)->Reconnect(Cancel::Never()));
  EXPECT_EQ(dialled, 2);
  EXPECT_FALSE(first.Alive()) << "whoever has it may still ask it";
  EXPECT_TRUE((*builder)->channel().Alive());
}

TEST_F(HoldTest, AReconnectThatFailsLeavesTheLeaseToTryAgain) {
  bool down = false;
  connection_.dial = [&](const Cancel&) -> Result<std::unique_ptr<rpc::ByteStream>> {
    if (down) return Fail(ErrorCode::kDenied, "no");
    return Reach();
  };
  auto builder = HoldFor(1);
  ASSERT_TRUE(builder);
  (*builder)->channel().Close(Error(ErrorCode::kUnavailable, "cut"));
  down = true;
  EXPECT_FALSE((*builder)->Reconnect(Cancel::Never()));
  down = false;
  EXPECT_TRUE((*builder)->Reconnect(Cancel::Never()));
  EXPECT_TRUE((*builder)->channel().Alive());
}

}  // namespace
}  // namespace depot::builder::connect_test
