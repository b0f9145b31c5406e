#pragma once

#include <string>
#include <string_view>

#include "driver/base/result.h"
#include "driver/event/sink.h"
#include "driver/solve/dated_context.h"
#include "driver/solve/request.h"

namespace depot::solve {

/// Control.Solve's request in gateway mode: exporters, entitlements and the attributes that the
/// daemon's own processors read, but no frontend (moby/buildkit client/build.go).
std::string EncodeControlSolve(const BuildRequest& request,
                               const std::string& ref,
                               const std::string& session_id);

/// LLBBridge.Solve's request: the frontend, its attributes and its inputs.
std::string EncodeGatewaySolve(const BuildRequest& request, const FrontendInputs& inputs = {});

/// Emits everything a StatusResponse says, with times between 1970 and 2100 and counts from 0.
/// kInvalid for a malformed message, or one with an entry of more than 4 MiB.
Result<> EmitStatus(std::string_view status_response, EventSink& sink);

}  // namespace depot::solve
