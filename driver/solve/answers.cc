#include "driver/solve/answers.h"

#include "proto/control.pb.h"

#include "driver/solve/lost.h"

namespace depot::solve {
namespace {

/// Parsed, a stranger's record may take thirty times the room.
constexpr std::size_t kMaxRecord = 4 << 20;

/// One request, and `take` for every message of the answer; an Error of `take` ends the call.
Result<> ReadStream(rpc::Channel& channel,
                    const std::string& method,
                    std::string request,
                    const std::function<Result<>(const std::string&)>& take,
                    const Cancel& cancel) {
  auto call = channel.Start(method, {});
  // When this fails the call has ended, and its status says why.
  (void)call->Write({rpc::Bytes(std::move(request))}, cancel);
  call->CloseWrites();
  while (true) {
    auto message = ReadOrClose(*call, channel, cancel);
    if (!message || !*message) break;
    TRY(take(**message));
  }
  rpc::Status status = call->Finish(cancel);
  // Nobody here has cancelled anything.
  bool theirs = status.code == rpc::Code::kCancelled && !cancel.cancelled();
  if (theirs) status.code = rpc::Code::kUnknown;
  if (!status.ok()) return Fail(rpc::ToError(status));
  return {};
}

}  // namespace

Result<> ReadAnswers(builder::Builder& builder,
                     const std::string& method,
                     const std::string& request,
                     const std::function<void()>& again,
                     const std::function<Result<>(const std::string&)>& take,
                     const Cancel& cancel) {
  TRY(builder.Reconnect(cancel));
  Result<> read = ReadStream(builder.channel(), method, request, take, cancel);
  if (read || cancel.cancelled() || builder.channel().Alive()) return read;
  TRY(builder.Reconnect(cancel));
  again();
  return ReadStream(builder.channel(), method, request, take, cancel);
}

Result<> ReadHistory(
    builder::Builder& builder,
    const std::string& ref,
    const std::function<void()>& again,
    const std::function<Result<>(const moby::buildkit::v1::BuildHistoryEvent&)>& take,
    const Cancel& cancel) {
  moby::buildkit::v1::BuildHistoryRequest request;
  request.set_early_exit(true);
  request.set_ref(ref);
  auto take_event = [&](const std::string& message) -> Result<> {
    moby::buildkit::v1::BuildHistoryEvent event;
    if (message.size() > kMaxRecord || !event.ParseFromString(message)) {
      return Fail(ErrorCode::kInvalid, "the builder's record of a build is malformed");
    }
    return take(event);
  };
  return ReadAnswers(builder, "/moby.buildkit.v1.Control/ListenBuildHistory",
                     request.SerializeAsString(), again, take_event, cancel);
}

}  // namespace depot::solve
