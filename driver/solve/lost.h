#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "driver/rpc/channel.h"
#include "driver/solve/request.h"

namespace depot::solve {

/// Whether an Error of a connection or session is that of a lost link: one that cannot be reached,
/// went away or fell silent, as opposed to one that was refused or closed on purpose.
bool IsLoss(ErrorCode code);

/// Why a call says nothing of the build: the connection that it ran on, or a proxy in front of the
/// builder, is gone, or the builder itself goes away and cancels what it was asked. nullopt when
/// `status` is the builder's word about the build, or when somebody here closed the connection on
/// purpose. Told by codes, never by text.
std::optional<Error> WhyLost(const rpc::Status& status, const rpc::Channel& channel);

/// ClientCall::Read() of what lies on the builder's disk, so that nobody has to wait for the next
/// piece of it: a builder that says nothing for 30 s is taken for lost, and `channel`, on which
/// `call` runs, is closed.
Result<std::optional<std::string>> ReadOrClose(rpc::ClientCall& call,
                                               rpc::Channel& channel,
                                               const Cancel& cancel);

/// How far a solve had come when it was lost.
struct LostAt {
  std::string endpoint;           ///< the builder's, for people
  std::chrono::seconds after{0};  ///< since the solve began
  bool exporting = false;         ///< the steps were done, so that exporters may have run
};

/// The kUnavailable Error for a solve that was lost: which hop died and when, what may have
/// happened already, and what to do.
Error LostError(const Error& why, const LostAt& at, const BuildRequest& request);

}  // namespace depot::solve
