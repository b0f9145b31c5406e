#include "driver/solve/gateway.h"

#include <algorithm>

#include "proto/gateway.pb.h"

#include "driver/base/text.h"
#include "driver/solve/dated_context.h"
#include "driver/solve/frontend_call.h"
#include "driver/solve/gateway_result.h"
#include "driver/solve/wire.h"

namespace depot::solve {
namespace {

namespace frontend = moby::buildkit::v1::frontend;

/// What BuildKit's own client takes at most as an answer.
constexpr std::size_t kMaxGatewayAnswer = 16 << 20;

/// A daemon before 0.13 makes the first output only and says nothing.
const Capability& SeveralExporters() {
  static const Capability several = {
      "exporter.multiple",
      "this builder's BuildKit is older than 0.13 and makes one output for each build", true};
  return several;
}

/// False: the answer is malformed.
bool TakeResult(const std::string& response, std::string& result) {
  frontend::SolveResponse solved;
  if (response.size() > kMaxGatewayAnswer || !solved.ParseFromString(response)) return false;
  result = std::move(*solved.mutable_result());
  return true;
}

bool Has(const frontend::PongResponse& pong, const std::string& capability) {
  return std::any_of(
      pong.llb_caps().begin(), pong.llb_caps().end(),
      [&](const frontend::ApiCap& cap) { return cap.id() == capability && cap.enabled(); });
}

}  // namespace

rpc::Status Gateway::RunFrontend(std::string& result) {
  rpc::Status status = CheckCapabilities();
  std::string response;
  if (status.ok()) status = Ask(response);
  if (!status.ok()) return status;
  if (!TakeResult(response, result)) {
    return {rpc::Code::kInternal, MalformedResult().message(), "", true};
  }
  if (request_.call.empty()) status = AskAgainWithInputs(result);
  if (!status.ok() || !request_.on_result) return status;
  const Result<> taken = request_.on_result(result, cancel_);
  if (taken) return status;
  return {rpc::Code::kCancelled, taken.error().message(), "", true};
}

rpc::Status Gateway::Return(const rpc::Status& status, const std::string& result) {
  frontend::ReturnRequest back;
  if (status.ok()) {
    back.set_result(result);
  } else if (status.details.empty() || !back.mutable_error()->ParseFromString(status.details)) {
    back.mutable_error()->set_code(static_cast<int>(status.code));
    back.mutable_error()->set_message(status.message);
  }
  std::string ignored;
  return Call("Return", back.SerializeAsString(), ignored);
}

rpc::Status Gateway::Call(std::string_view method, std::string request, std::string& response) {
  return channel_.Unary(Cat("/moby.buildkit.v1.frontend.LLBBridge/", method),
                        {{"buildkit-controlapi-buildid", ref_}}, std::move(request), response,
                        cancel_);
}

/// Engines do not tell their BuildKit's version, so it is asked what it can do, where that matters.
rpc::Status Gateway::CheckCapabilities() {
  std::vector<Capability> wanted = request_.capabilities;
  if (request_.exporters.size() > 1) wanted.push_back(SeveralExporters());
  if (wanted.empty()) return {};
  std::string response;
  rpc::Status status = Call("Ping", "", response);
  frontend::PongResponse pong;
  if (!status.ok() || !pong.ParseFromString(response)) return status;
  for (const Capability& capability : wanted) {
    if (Has(pong, capability.id)) continue;
    if (capability.required) return {rpc::Code::kUnimplemented, capability.lacking, "", true};
    sink_.Say(Cat("WARNING: ", capability.lacking));
  }
  return {};
}

/// What the frontend made in `result` was not run yet, and says which files it needs of each
/// context. It is good as it is; one that gets the contexts as inputs is better.
rpc::Status Gateway::AskAgainWithInputs(std::string& result) {
  Result<ContextInputs> made = InputsFor(result);
  if (!made) return {rpc::Code::kInternal, made.error().message(), "", true};
  if (!made->reason.empty()) Explain(made->reason);
  if (made->inputs.empty()) return {};
  BuildRequest again = request_;
  std::erase_if(again.dated,
                [&](const DatedContext& context) { return !made->names.contains(context.input); });
  for (const auto& [attribute, value] : made->attrs)
    again.frontend_attrs[attribute] = value;
  std::string response;
  rpc::Status status = Call("Solve", EncodeGatewaySolve(again, made->inputs), response);
  if (!status.ok() && !status.told) return status;
  std::string better;
  if (!status.ok() || !TakeResult(response, better)) {
    Explain(Cat("the frontend does not take them as inputs: ", status.message));
    return {};
  }
  Result<bool> asks = AsksItself(better, again.dated);
  if (!asks) return {rpc::Code::kInternal, asks.error().message(), "", true};
  if (*asks) Explain("the frontend takes no inputs");
  result = std::move(better);
  return {};
}

Result<ContextInputs> Gateway::InputsFor(const std::string& result) {
  // The results of others among the inputs ask for their own contexts.
  const bool linked = !request_.inputs.empty();
  const bool dates = !request_.dated.empty() && !linked;
  const Sharing& sharing = request_.sharing;
  if (!dates && !sharing.agree) return ContextInputs();
  TRY_ASSIGN(const LocalSources sources, LocalSourcesOf(result, request_.inputs));
  std::vector<SharedContext> shared;
  if (sharing.agree) {
    LocalFilters asked = FiltersOf(sources);
    std::erase_if(asked, [&](const auto& one) { return !sharing.contexts.contains(one.first); });
    for (auto& [local, filter] : sharing.agree(asked, cancel_))
      shared.push_back({local, sharing.contexts.at(local), std::move(filter)});
  }
  return MakeContextInputs(sources, dates ? request_.dated : std::vector<DatedContext>(), shared);
}

void Gateway::Explain(const std::string& reason) {
  if (!request_.explain) return;
  sink_.Say(Cat(request_.dated.empty() ? "contexts are not shared with other targets: "
                                       : "contexts are sent with the times of files: ",
                reason));
}

rpc::Status Gateway::Ask(std::string& response) {
  rpc::Status status = Call("Solve", EncodeGatewaySolve(request_), response);
  if (status.ok() || request_.call.empty()) return status;
  const LaterFrontend* later = WhoKnows(request_.call, status);
  if (later == nullptr) return status;
  sink_.Say(Cat("this builder is too old for ", ShownCall(request_.call), ", so ", later->image,
                " is asked"));
  BuildRequest again = request_;
  again.frontend_attrs["build-arg:BUILDKIT_SYNTAX"] = std::string(later->image);
  rpc::Status second = Call("Solve", EncodeGatewaySolve(again), response);
  if (second.ok()) return second;
  return {rpc::Code::kUnimplemented, WhyNeither(request_.call, *later, second), "", true};
}

}  // namespace depot::solve
