#include "driver/solve/gateway_result.h"

#include "proto/gateway.pb.h"

namespace depot::solve {

Error MalformedResult() {
  return {ErrorCode::kInvalid, "the builder's frontend result is malformed"};
}

Result<moby::buildkit::v1::frontend::GatewayResult> ReadGatewayResult(const std::string& bytes) {
  moby::buildkit::v1::frontend::GatewayResult result;
  if (!result.ParseFromString(bytes)) return Fail(MalformedResult());
  return result;
}

}  // namespace depot::solve
