#include "driver/solve/answers.h"

#include "driver/solve/lost.h"

namespace depot::solve {
namespace {

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

}  // namespace depot::solve
