#pragma once

#include <map>
#include <string>

#include "driver/base/result.h"

/// The result of one build as a context of another (docker buildx build/build.go, waitContextDeps;
/// BuildKit frontend/dockerui/namedcontext.go).
namespace depot::solve {

/// What the frontend of the build that uses it gets.
struct LinkedInputs {
  std::map<std::string, std::string> attrs;   ///< `context:NAME` and `input-metadata:ID`
  std::map<std::string, std::string> inputs;  ///< BuildRequest::inputs
};

/// Makes the frontend's result of another build (gateway.proto, Result, as bytes) the context
/// `name`, under an `id` that no other input has: for each platform that it was built for, with the
/// image's configuration, so that its ENV and the like are inherited. A result without files is an
/// empty one. kInvalid: it is malformed.
Result<LinkedInputs> LinkResult(const std::string& result,
                                const std::string& name,
                                const std::string& id);

}  // namespace depot::solve
