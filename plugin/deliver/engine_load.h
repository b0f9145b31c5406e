#pragma once

#include <optional>
#include <string>
#include <vector>

#include "driver/builder/builder.h"
#include "driver/docker/engine.h"
#include "driver/session/description_store.h"
#include "plugin/deliver/metadata.h"

namespace depot::deliver {

/// An image that a builder has, and the Engine that is to get it. All is owned by the caller.
struct EngineLoad {
  builder::Builder& builder;
  /// What the builder sent of it: exporter `oci` with tar=false.
  const session::DescriptionStore& described;
  const ExporterResponse& response;  ///< the builder's answer
  docker::Engine& engine;
  docker::EngineInfo info;         ///< of `engine`
  std::vector<std::string> names;  ///< full references; none = it gets no name
  std::string record_folder;       ///< for LoadedImages; "" = nothing is remembered
};

/// How a load ended.
struct EngineLoaded {
  /// Set: the builder did not give all of the image, nothing has changed in the Engine, and this is
  /// why. An image that it sends as a whole may still arrive.
  std::optional<Error> builder_lacks;
  std::string config_digest;  ///< of the only image; "" when there are several, or none
};

/// Brings the image into the Engine, which is sent only what it does not have: layers come from the
/// builder's content store, in order, and go on as they arrive; nothing is stored on the way. What
/// the Engine refuses because it lacks more than it said is sent again as a whole, and said. Until
/// the image is whole no name points to it. A classic store gets one platform, its own, without
/// attestations, and that is said. Shows a step with the layers. Blocks.
Result<EngineLoaded> LoadIntoEngine(const EngineLoad& load, EventSink& sink, const Cancel& cancel);

}  // namespace depot::deliver
