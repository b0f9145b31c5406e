#pragma once

#include <string>

#include "driver/base/result.h"

namespace moby::buildkit::v1::frontend {
class GatewayResult;
}

namespace depot::solve {

/// The kInvalid Error for a frontend's result, or something in it, that cannot be read.
Error MalformedResult();

/// A frontend's result from its wire form (gateway.proto, Result), or MalformedResult().
Result<moby::buildkit::v1::frontend::GatewayResult> ReadGatewayResult(const std::string& bytes);

}  // namespace depot::solve
