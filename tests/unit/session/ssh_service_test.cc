#include "driver/session/ssh_service.h"

#include <chrono>
#include <optional>
#include <string>

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "memory_call.h"
#include "proto/session.pb.h"
#include "recording_sink.h"
#include "temporary_directory.h"

#include "driver/base/task_group.h"
#include "driver/base/text.h"
#include "driver/session/packets.h"
#include "driver/session/ssh_wire.h"

namespace depot::session::ssh_service_test {
namespace {

using namespace std::string_literals;

constexpr std::string_view kForward = "/moby.sshforward.v1.SSH/ForwardAgent";

// Made for this test by ssh-keygen, and used nowhere else.
constexpr std::string_view kKey = R"(-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g
-----END PRIVATE KEY-----
)";

SshIdentity Identity() {
  return {*SshKey::Read(Secret(std::string(kKey))), "a comment"};
}

std::string Wire(std::string_view data) {
  return BytesMessageHeader(data.size()).substr(5) + std::string(data);
}

std::string SignRequest(std::string_view blob, std::string_view data) {
  std::string request(1, 13);
  AppendSshString(request, blob);
  AppendSshString(request, data);
  AppendSshNumber(request, 0);
  return request;
}

/// An agent that records what it is asked and answers every request with the same bytes.
class FakeAgent {
 public:
  FakeAgent(const std::string& path, std::string answer) : answer_(std::move(answer)) {
    listener_ = Fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(listener_.get(), 8), 0);
    tasks_.Start("agent", [this](const Cancel& cancel) { return Serve(cancel); });
  }
  ~FakeAgent() { tasks_.Stop(Error(ErrorCode::kCancelled, "the test is over")); }

  std::string asked() {
    std::lock_guard lock(mutex_);
    return asked_;
  }

 private:
  Result<> Serve(const Cancel& cancel) {
    while (true) {
      TRY(WaitForFd(listener_.get(), POLLIN, cancel));
      Fd peer(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      char buffer[4096];
      while (true) {
        TRY(WaitForFd(peer.get(), POLLIN, cancel));
        const ssize_t count = ::read(peer.get(), buffer, sizeof buffer);
        if (count <= 0) break;
        {
          std::lock_guard lock(mutex_);
          asked_.append(buffer, static_cast<std::size_t>(count));
        }
        const std::string frame = SshFrame(answer_);
        if (!answer_.empty() && ::write(peer.get(), frame.data(), frame.size()) < 0) break;
      }
    }
  }

  const std::string answer_;
  Fd listener_;
  std::mutex mutex_;
  std::string asked_;
  TaskGroup tasks_{Cancel::Never()};
};

class SshService : public ::testing::Test {
 protected:
  void Offer(std::vector<SshOffer> offers) {
    AddSsh(table_, MakeSshAgents(std::move(offers), sink_));
  }

  rpc::Status Check(const std::string& id) {
    CheckAgentRequest request;
    request.set_id(id);
    std::string answer;
    return Ask(table_, "/moby.sshforward.v1.SSH/CheckAgent", request.SerializeAsString(), answer);
  }

  /// The answers to `messages`, sent as one piece.
  std::string Talk(const std::vector<std::string>& messages, const std::string& id = "default") {
    rpc::Metadata metadata;
    metadata.Add("buildkit.ssh.id", id);
    RunningCall running(table_, std::string(kForward), metadata);
    std::string frames;
    for (const std::string& message : messages)
      frames += SshFrame(message);
    running.call().Send(Wire(frames));
    running.call().HalfClose();
    status_ = running.Finish();
    std::string answers;
    while (std::optional<std::string> message = running.call().Receive())
      answers += std::string(*ParseBytesMessage(*message));
    return answers;
  }

  TemporaryDirectory directory_;
  RecordingSink sink_;
  rpc::ServiceTable table_;
  rpc::Status status_;
};

TEST_F(SshService, ListsAndSignsWithItsKeys) {
  const SshIdentity identity = Identity();
  Offer({{"default", "", {identity}}});
  EXPECT_TRUE(Check("").ok());
  const std::string& blob = identity.key.public_blob();
  const std::string answers = Talk({"\x0b", SignRequest(blob, "data")});
  std::string list = "\x0c\0\0\0\x01"s;
  AppendSshString(list, blob);
  AppendSshString(list, "a comment");
  std::string signature(1, 14);
  AppendSshString(signature, *identity.key.Sign("data", 0));
  EXPECT_EQ(answers, SshFrame(list) + SshFrame(signature));
  EXPECT_TRUE(status_.ok());
}

TEST_F(SshService, SignsWithNothingElseAndDoesNothingElse) {
  const SshIdentity identity = Identity();
  Offer({{"default", "", {identity}}});
  const std::string other(identity.key.public_blob().size(), 'x');
  // Add, remove all, lock, an extension, a cut sign request, an unknown number.
  const std::vector<std::string> refused = {
      SignRequest(other, "data"), "\x11"s, "\x13", "\x16\0\0\0\0"s, "\x1b\0\0"s,
      "\x0d\0\0\0\x7f"s,          "\xff"};
  std::string failures;
  for (std::size_t i = 0; i < refused.size(); ++i)
    failures += SshFrame("\x05");
  EXPECT_EQ(Talk(refused), failures);
}

TEST_F(SshService, AnUnknownIdIsRefusedAndSaid) {
  Offer({{"deploy", "", {Identity()}}});
  EXPECT_TRUE(Check("deploy").ok());
  EXPECT_EQ(Check("").message, "unset ssh forward key default");
  EXPECT_EQ(Talk({"\x0b"}), "");
  EXPECT_EQ(status_.code, rpc::Code::kNotFound);
  EXPECT_EQ(sink_.notices().size(), 1U);
}

TEST_F(SshService, AMessageBeyondEveryLimitEndsTheConversation) {
  Offer({{"default", "", {Identity()}}});
  rpc::Metadata metadata;
  RunningCall running(table_, std::string(kForward), metadata);
  running.call().Send(Wire("\x00\x04\x00\x01\x0b"s));
  EXPECT_EQ(running.Finish().code, rpc::Code::kInvalidArgument);
}

TEST_F(SshService, ManySmallMessagesInOnePieceTakeNoTime) {
  Offer({{"default", "", {Identity()}}});
  constexpr std::size_t kMany = 20000;
  EXPECT_EQ(Talk(std::vector<std::string>(kMany, "\xff")).size(), kMany * 5);
}

TEST_F(SshService, SignaturesHaveAnEnd) {
  const SshIdentity identity = Identity();
  Offer({{"default", "", {identity}}});
  const std::string request = SignRequest(identity.key.public_blob(), "data");
  Talk(std::vector<std::string>(10000, request));
  EXPECT_TRUE(status_.ok());
  EXPECT_EQ(Talk({request}), "");
  EXPECT_EQ(status_.code, rpc::Code::kPermissionDenied);
  EXPECT_EQ(sink_.notices().size(), 1U);
}

TEST_F(SshService, ForwardsWhatIsHarmless) {
  FakeAgent agent(directory_ / "socket", "answer");
  Offer({{"default", directory_ / "socket"}});
  EXPECT_EQ(Talk({"\x0b", "\x13", SignRequest("blob", "data")}),
            SshFrame("answer") + SshFrame("\x05") + SshFrame("answer"));
  EXPECT_EQ(agent.asked(), SshFrame("\x0b") + SshFrame(SignRequest("blob", "data")));
}

TEST_F(SshService, AgentsAreLookedAtBeforehand) {
  const std::string place = directory_ / "socket";
  auto check = [&] {
    Result<> checked = CheckSshAgents({{"default", place}}, Cancel::Never());
    return checked ? "" : checked.error().message();
  };
  EXPECT_NE(check().find("--ssh default: "), std::string::npos);
  {
    FakeAgent agent(place, "\x0c\0\0\0\0"s);
    EXPECT_EQ(check(), "--ssh default: the ssh agent shows no keys: it has none, or is locked");
  }
  ::unlink(place.c_str());
  {
    FakeAgent agent(place, "\x0c\0\0\0\x01"s);
    EXPECT_EQ(check(), "");
  }
  ::unlink(place.c_str());
  FakeAgent agent(place, "hello");
  EXPECT_EQ(check(), "--ssh default: it does not speak the ssh-agent protocol");
}

TEST_F(SshService, ASilentAgentEndsWithTheBuild) {
  FakeAgent agent(directory_ / "socket", "");
  CancelSource source;
  const Cancel limited = source.cancel().WithTimeout(std::chrono::milliseconds(50), "the limit");
  Result<> checked = CheckSshAgents({{"default", directory_ / "socket"}}, limited);
  ASSERT_FALSE(checked.has_value());
  EXPECT_NE(checked.error().message().find("timed out: the limit"), std::string::npos);
}

}  // namespace
}  // namespace depot::session::ssh_service_test
