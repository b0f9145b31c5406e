#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "driver/base/cancel.h"
#include "driver/session/ssh_key.h"

/// The ssh-agent protocol (draft-ietf-sshm-ssh-agent), as far as a build may speak it: it may list
/// identities and ask for signatures. All else (adding, removing, locking, extensions) is answered
/// with a failure here and reaches nobody.
namespace depot::session {

/// What OpenSSH's agent takes and gives at most in one message.
constexpr std::size_t kMaxSshMessage = 256 << 10;

/// A key that an agent holds, with the name that it shows for it.
struct SshIdentity {
  SshKey key;
  std::string comment;
};

/// One conversation with an agent: a request, then its answer. One thread.
class SshAgent {
 public:
  virtual ~SshAgent() = default;

  /// The answer to one message (both without the length in front). That a request makes no sense,
  /// or is refused, is an answer, too; an Error is an agent that is gone.
  virtual Result<std::string> Answer(std::string_view request, const Cancel& cancel) = 0;
};

/// An agent of our own, which signs with `identities` and nothing else. They must outlive it.
std::unique_ptr<SshAgent> MakeSshAgent(const std::vector<SshIdentity>& identities);

/// A conversation with the agent that listens at the socket `path`. Errors name it: kNotFound,
/// kDenied, kUnavailable when nobody listens.
Result<std::unique_ptr<SshAgent>> DialSshAgent(const std::string& path, const Cancel& cancel);

/// How many identities the agent shows. A locked one shows none.
Result<std::size_t> CountIdentities(SshAgent& agent, const Cancel& cancel);

/// Whether a message asks for a signature.
bool IsSignRequest(std::string_view request);

/// The messages in a stream that arrives in pieces.
class SshMessages {
 public:
  void Add(std::string_view bytes);

  /// Takes the next whole message into `message`; false when there is none yet. kInvalid when it is
  /// empty or longer than kMaxSshMessage.
  Result<bool> Take(std::string& message);

 private:
  std::string buffer_;
  std::size_t taken_ = 0;  // of buffer_
};

/// `message` with its length in front.
std::string SshFrame(std::string_view message);

}  // namespace depot::session
