#pragma once

#include <string>
#include <string_view>

#include "driver/base/cancel.h"
#include "driver/base/result.h"
#include "driver/event/sink.h"
#include "driver/rpc/channel.h"
#include "driver/solve/dated_context.h"
#include "driver/solve/request.h"

namespace depot::solve {

/// The calls that drive a frontend while Control.Solve of the same build waits (LLBBridge, BuildKit
/// frontend/gateway/pb/gateway.proto). One thread.
class Gateway {
 public:
  /// `ref` is the build's id. All that is passed by reference must outlive it; `cancel` ends the
  /// calls.
  Gateway(rpc::Channel& channel,
          const std::string& ref,
          const BuildRequest& request,
          EventSink& sink,
          Cancel cancel)
      : channel_(channel), ref_(ref), request_(request), sink_(sink), cancel_(std::move(cancel)) {}

  /// Makes sure of the request's capabilities, and has the frontend build, or answer the request's
  /// call. `result` is what it made, in the form of the wire. Blocks.
  rpc::Status RunFrontend(std::string& result);

  /// Hands what RunFrontend() gave over to Control.Solve, which then goes on. Blocks.
  rpc::Status Return(const rpc::Status& status, const std::string& result);

 private:
  rpc::Status Call(std::string_view method, std::string request, std::string& response);
  rpc::Status CheckCapabilities();
  rpc::Status Ask(std::string& response);
  rpc::Status AskAgainWithInputs(std::string& result);
  Result<ContextInputs> InputsFor(const std::string& result);
  void Explain(const std::string& reason);

  rpc::Channel& channel_;
  const std::string& ref_;
  const BuildRequest& request_;
  EventSink& sink_;
  const Cancel cancel_;
};

}  // namespace depot::solve
