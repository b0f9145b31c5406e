#pragma once

#include <optional>
#include <string>
#include <vector>

#include "driver/docker/engine.h"
#include "plugin/deliver/image_source.h"

namespace depot::deliver {

/// An image that builders have, and the Engine that is to get it. All is owned by the caller.
struct EngineLoad {
  std::vector<ImageSource> sources;        ///< of several builders each has made its platforms
  std::vector<Platform> platforms;         ///< all, as they are listed; of several sources
  registry::IndexAnnotations annotations;  ///< of several sources
  docker::Engine& engine;
  docker::EngineInfo info;         ///< of `engine`
  std::vector<std::string> names;  ///< full references; none = it gets no name
  std::string record_folder;       ///< for LoadedImages; "" = nothing is remembered
};

/// How a load ended.
struct EngineLoaded {
  /// Set: a builder did not give all of the image, nothing has changed in the Engine, and this is
  /// why. An image that it sends as a whole may still arrive.
  std::optional<Error> builder_lacks;
  std::string digest;         ///< of the image's index, or of its only manifest
  std::string config_digest;  ///< of the only image; "" when there are several, or none
};

/// What a classic store is told of an image without its platform.
Error NoPlatformOfTheEngine();

/// Brings the image into the Engine, which is sent only what it does not have: layers come from the
/// builders' content stores, in order, and go on as they arrive; nothing is stored on the way. What
/// the Engine refuses because it lacks more than it said is sent again as a whole, and said. Until
/// the image is whole no name points to it. A classic store gets one platform, its own, without
/// attestations, and that is said. Shows a step with the layers. Blocks.
Result<EngineLoaded> LoadIntoEngine(const EngineLoad& load, EventSink& sink, const Cancel& cancel);

}  // namespace depot::deliver
