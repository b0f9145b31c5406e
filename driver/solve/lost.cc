#include "driver/solve/lost.h"

#include "driver/base/text.h"
#include "driver/solve/push_failure.h"

namespace depot::solve {
namespace {

std::string Duration(std::chrono::seconds time) {
  const auto seconds = time.count();
  if (seconds < 60) return Cat(seconds, " s");
  return Cat(seconds / 60, " min ", seconds % 60, " s");
}

/// The session has ended, or never came, although the connection of this call lives. (grpc-go
/// internal/transport/http2_client.go, BuildKit session/manager.go)
bool SessionIsGone(const rpc::Status& status) {
  return status.told && (status.message.find("error reading from server: ") != std::string::npos ||
                         status.message.find("no active session for ") != std::string::npos);
}

std::string WhatToDo(const LostAt& at, const BuildRequest& request) {
  if (!PushesSomething(request)) {
    return "build again: what was built comes from the cache";
  }
  return at.exporting ? "the push may have happened all the same: look at the registry, or build "
                        "again; what was built comes from the cache"
                      : "nothing was pushed; build again: what was built comes from the cache";
}

}  // namespace

bool IsLoss(ErrorCode code) {
  return code == ErrorCode::kUnavailable || code == ErrorCode::kTimeout;
}

std::optional<Error> WhyLost(const rpc::Status& status, const rpc::Channel& channel) {
  const Result<> alive = channel.Alive();
  if (!status.told && !alive) {
    if (!IsLoss(alive.error().code())) return std::nullopt;
    return alive.error();
  }
  // Nobody here has cancelled anything: a builder that is being stopped says so.
  if (status.code == rpc::Code::kCancelled) {
    return Error(ErrorCode::kUnavailable,
                 Cat("it cancelled the build: ", rpc::ToError(status).message()));
  }
  // BuildKit's own failures have details, those of a proxy in front of it have none.
  const bool of_proxy = status.code == rpc::Code::kUnavailable && status.details.empty();
  if (of_proxy) return rpc::ToError(status);
  if (SessionIsGone(status)) return Error(ErrorCode::kUnavailable, rpc::ToError(status).message());
  return std::nullopt;
}

Result<std::optional<std::string>> ReadOrClose(rpc::ClientCall& call,
                                               rpc::Channel& channel,
                                               const Cancel& cancel) {
  constexpr std::chrono::seconds kPatience(30);
  const Cancel patient = cancel.WithTimeout(kPatience, "the builder's next piece");
  auto message = call.Read(patient);
  if (!message && patient.cancelled() && !cancel.cancelled()) {
    channel.Close(Error(ErrorCode::kTimeout,
                        Cat("no sign of life from the builder for ", kPatience.count(), " s")));
  }
  return message;
}

Error LostError(const Error& why, const LostAt& at, const BuildRequest& request) {
  const std::string known = why.hint().empty() ? "" : Cat(why.hint(), "; ");
  return Error(ErrorCode::kUnavailable, why.message())
      .While(Cat("lost the builder ", at.endpoint, " after ", Duration(at.after)))
      .WithHint(Cat(known, WhatToDo(at, request)))
      .At(FailedAt::kBuilderLost);
}

}  // namespace depot::solve
