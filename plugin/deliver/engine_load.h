#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "driver/docker/engine.h"
#include "plugin/deliver/image_source.h"

namespace depot::deliver {

/// An image, and the Engine that is to get it. What is referred to is owned by the caller.
struct EngineLoad {
  std::vector<std::unique_ptr<ImageSource>> sources;  ///< several: each has some platforms
  std::vector<Platform> platforms;         ///< all, as they are listed; of several sources
  registry::IndexAnnotations annotations;  ///< of several sources
  docker::Engine& engine;
  docker::EngineInfo info;         ///< of `engine`
  std::vector<std::string> names;  ///< full references; none = it gets no name
  std::string record_folder;       ///< for LoadedImages; "" = nothing is remembered
  /// The Engine pulls the image afterwards: one that has no layer of it is sent nothing, and
  /// nothing is sent a second time.
  bool before_pull = false;
};

/// How a load ended.
struct EngineLoaded {
  /// Set: a source did not give all of the image, nothing has changed in the Engine, and this is
  /// why. An image that comes as a whole may still arrive.
  std::optional<Error> source_lacks;
  std::string digest;         ///< of the image's index, or of its only manifest
  std::string config_digest;  ///< of the only image; "" when there are several, or none
};

/// What a classic store is told of an image without its platform.
Error NoPlatformOfTheEngine();

/// Brings the image into the Engine, which is sent only what it does not have: layers come from the
/// sources, in order, and go on as they arrive; nothing is stored on the way. What
/// the Engine refuses because it lacks more than it said is sent again as a whole, and said. Until
/// the image is whole no name points to it. A classic store gets one platform, its own, without
/// attestations, and that is said. Shows a step with the layers. Blocks.
Result<EngineLoaded> LoadIntoEngine(const EngineLoad& load, EventSink& sink, const Cancel& cancel);

}  // namespace depot::deliver
