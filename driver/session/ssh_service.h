#pragma once

#include <memory>
#include <string>
#include <vector>

#include "driver/base/cancel.h"
#include "driver/event/sink.h"
#include "driver/rpc/server.h"
#include "driver/session/ssh_agent.h"

namespace depot::session {

/// One ssh agent offered to RUN --mount=type=ssh and to git over ssh, by the id that it is asked
/// for: that of the user, or one of our own that holds keys.
struct SshOffer {
  std::string id;
  std::string agent_socket{};             ///< path of the user's agent, or
  std::vector<SshIdentity> identities{};  ///< the keys, at least one
};

/// Asks every agent of the user's what it holds, before anything is connected: one that is not
/// there, does not answer within 10 s, or shows no key (a locked one does not) is an error that
/// names it.
Result<> CheckSshAgents(const std::vector<SshOffer>& offers, const Cancel& cancel);

/// The offers of one build, which its sessions share. Any thread.
class SshAgents;

/// `sink` must outlive it. It hears what was refused, and for whom an agent is waited for.
std::shared_ptr<SshAgents> MakeSshAgents(std::vector<SshOffer> offers, EventSink& sink);

/// moby.sshforward.v1.SSH (BuildKit session/sshforward): CheckAgent, ForwardAgent. The builders of
/// one build have at most 32 conversations at a time, and 10,000 signatures, together.
void AddSsh(rpc::ServiceTable& table, const std::shared_ptr<SshAgents>& agents);

}  // namespace depot::session
