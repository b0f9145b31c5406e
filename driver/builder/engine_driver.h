#pragma once

#include "driver/builder/endpoint.h"
#include "driver/docker/engine_endpoint.h"

namespace depot::builder {

/// Where a Docker Engine is, as an endpoint of the table of schemes: tcp, unix, or a program for
/// ssh:// (`docker system dial-stdio` on the other machine; docker/cli cli/connhelper). Errors as
/// of docker::ParseEngineHost() and ParseSshPlace().
Result<Endpoint> EndpointOfEngine(const docker::EngineEndpoint& engine);

}  // namespace depot::builder
