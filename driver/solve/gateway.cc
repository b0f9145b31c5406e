#include "driver/solve/gateway.h"

#include <algorithm>

#include "proto/gateway.pb.h"

#include "driver/base/text.h"
#include "driver/solve/frontend_call.h"
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
  frontend::SolveResponse solved;
  if (response.size() > kMaxGatewayAnswer || !solved.ParseFromString(response)) {
    return {rpc::Code::kInternal, "the builder's frontend result is malformed", "", true};
  }
  result = std::move(*solved.mutable_result());
  return status;
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

rpc::Status Gateway::Ask(std::string& response) {
  rpc::Status status = Call("Solve", EncodeGatewaySolve(request_), response);
  if (status.ok() || request_.call.empty()) return status;
  const LaterFrontend* later = WhoKnows(request_.call, status);
  if (later == nullptr) return status;
  sink_.Say(Cat("this builder's frontend has no \"", request_.call, "\", so ", later->image,
                " is asked"));
  BuildRequest again = request_;
  again.frontend_attrs["build-arg:BUILDKIT_SYNTAX"] = std::string(later->image);
  rpc::Status second = Call("Solve", EncodeGatewaySolve(again), response);
  if (second.ok()) return second;
  return {rpc::Code::kUnimplemented,
          Cat("this builder's BuildKit has no \"", request_.call, "\": ", later->version,
              " has it; and the frontend image with it failed: ", second.message),
          "", true};
}

}  // namespace depot::solve
