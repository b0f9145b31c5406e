#pragma once

#include <string>
#include <vector>

#include "driver/oci/platform.h"

namespace depot::builder {

/// What a builder can do, asked once when it is acquired.
struct Features {
  std::vector<Platform> platforms;  ///< the first is its native one
  /// The builder is inside a Docker Engine and stores images there by itself (exporter `moby`), so
  /// --load moves nothing.
  bool engine_store = false;
  /// Has the exporters image with push, oci, docker, and several platforms: every buildkitd, and an
  /// Engine with the containerd image store. Without it the Engine pushes after the build.
  bool all_exporters = true;
  /// Makes attestations of images (BuildKit 0.11 and newer, with exporters that can carry them).
  bool attestations = false;
  /// Keeps a record of each build, with its provenance (BuildKit 0.11 and newer).
  bool history = false;
  bool same_machine = false;    ///< reached by a unix socket: bytes cost nothing on the way
  std::string host_gateway_ip;  ///< value of `host-gateway` in --add-host; "" = unknown
};

}  // namespace depot::builder
