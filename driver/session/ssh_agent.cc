#include "driver/session/ssh_agent.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/rpc/dial.h"
#include "driver/session/ssh_wire.h"

namespace depot::session {
namespace {

// Message numbers of draft-ietf-sshm-ssh-agent, section 6.1.
constexpr char kFailure = 5;
constexpr char kRequestIdentities = 11;
constexpr char kIdentitiesAnswer = 12;
constexpr char kSignRequest = 13;
constexpr char kSignResponse = 14;

std::string Failure() {
  return std::string(1, kFailure);
}

bool IsAllowed(std::string_view request) {
  const bool lists = request.size() == 1 && request.front() == kRequestIdentities;
  return lists || IsSignRequest(request);
}

class OwnAgent final : public SshAgent {
 public:
  explicit OwnAgent(const std::vector<SshIdentity>& identities) : identities_(identities) {}

  Result<std::string> Answer(std::string_view request, const Cancel&) override {
    if (!IsAllowed(request)) return Failure();
    return request.front() == kRequestIdentities ? List() : Sign(request.substr(1));
  }

 private:
  std::string List() const {
    std::string answer(1, kIdentitiesAnswer);
    AppendSshNumber(answer, static_cast<std::uint32_t>(identities_.size()));
    for (const SshIdentity& identity : identities_) {
      AppendSshString(answer, identity.key.public_blob());
      AppendSshString(answer, identity.comment);
    }
    return answer;
  }

  std::string Sign(std::string_view request) const {
    SshReader reader(request);
    std::string_view blob;
    std::string_view data;
    std::uint32_t flags = 0;
    if (!reader.TakeString(blob) || !reader.TakeString(data) || !reader.TakeNumber(flags)) {
      return Failure();
    }
    auto asked = std::find_if(
        identities_.begin(), identities_.end(),
        [&](const SshIdentity& identity) { return identity.key.public_blob() == blob; });
    if (asked == identities_.end()) return Failure();
    Result<std::string> signature = asked->key.Sign(data, flags);
    if (!signature) return Failure();
    std::string answer(1, kSignResponse);
    AppendSshString(answer, *signature);
    return answer;
  }

  const std::vector<SshIdentity>& identities_;
};

class ForwardedAgent final : public SshAgent {
 public:
  ForwardedAgent(std::unique_ptr<rpc::ByteStream> stream, std::string path)
      : stream_(std::move(stream)), path_(std::move(path)) {}

  Result<std::string> Answer(std::string_view request, const Cancel& cancel) override {
    if (!IsAllowed(request)) return Failure();
    auto answer = Ask(request, cancel);
    if (!answer) return Fail(std::move(answer).error().While(path_));
    return answer;
  }

 private:
  Result<std::string> Ask(std::string_view request, const Cancel& cancel) {
    TRY(stream_->Write({rpc::Bytes(SshFrame(request))}, cancel));
    std::string answer;
    char buffer[16384];
    while (true) {
      TRY_ASSIGN(const bool whole, messages_.Take(answer));
      if (whole) return answer;
      TRY_ASSIGN(const std::size_t count, stream_->Read(buffer, sizeof buffer, cancel));
      if (count == 0) return Fail(ErrorCode::kUnavailable, "the ssh agent hung up");
      messages_.Add({buffer, count});
    }
  }

  std::unique_ptr<rpc::ByteStream> stream_;
  std::string path_;
  SshMessages messages_;
};

}  // namespace

std::unique_ptr<SshAgent> MakeSshAgent(const std::vector<SshIdentity>& identities) {
  return std::make_unique<OwnAgent>(identities);
}

Result<std::unique_ptr<SshAgent>> DialSshAgent(const std::string& path, const Cancel& cancel) {
  TRY_ASSIGN(Fd socket, rpc::DialUnix(path, cancel));
  return std::make_unique<ForwardedAgent>(rpc::MakeSocketStream(std::move(socket)),
                                          Printable(path));
}

Result<std::size_t> CountIdentities(SshAgent& agent, const Cancel& cancel) {
  TRY_ASSIGN(const std::string answer, agent.Answer(std::string(1, kRequestIdentities), cancel));
  SshReader reader(answer);
  std::uint8_t type = 0;
  std::uint32_t count = 0;
  const bool read = reader.TakeByte(type) && type == kIdentitiesAnswer && reader.TakeNumber(count);
  if (!read) return Fail(ErrorCode::kInvalid, "it does not speak the ssh-agent protocol");
  return count;
}

bool IsSignRequest(std::string_view request) {
  return !request.empty() && request.front() == kSignRequest;
}

void SshMessages::Add(std::string_view bytes) {
  buffer_.erase(0, std::exchange(taken_, 0));
  buffer_.append(bytes);
}

Result<bool> SshMessages::Take(std::string& message) {
  SshReader reader(std::string_view(buffer_).substr(taken_));
  std::uint32_t size = 0;
  if (!reader.TakeNumber(size)) return false;
  if (size == 0 || size > kMaxSshMessage) {
    return Fail(ErrorCode::kInvalid, Cat("an ssh-agent message of ", size, " bytes"));
  }
  if (reader.rest().size() < size) return false;
  message = reader.rest().substr(0, size);
  taken_ += sizeof size + size;
  return true;
}

std::string SshFrame(std::string_view message) {
  std::string frame;
  AppendSshString(frame, message);
  return frame;
}

}  // namespace depot::session
