#pragma once

#include "driver/docker/engine.h"
#include "plugin/job/inputs.h"
#include "plugin/job/platform_build.h"
#include "plugin/job/services.h"
#include "plugin/job/workshop.h"

namespace depot::job {

/// What a load is made from; everything outlives the loader.
struct EngineLoadFacts {
  docker::Engine& engine;
  const docker::EngineInfo& info;  ///< of `engine`
  const options::BuildOptions& options;
  Workshop& workshop;
  const Inputs& inputs;
  const plan::PlanFacts& plan;
};

/// Brings what one builder has built into the Engine. One thread.
class EngineLoader {
 public:
  /// `services` must outlive it.
  EngineLoader(EngineLoadFacts facts, Services& services) : facts_(facts), services_(services) {}

  /// Of a build that has succeeded, with a destination kEngineLayers: only what the Engine lacks,
  /// by the builder's content store. When that does not have the image (any more), the builder
  /// makes an archive of it in another solve, whose steps it has, and that is said. The Engine's
  /// name for the image goes into the build's answer. Blocks.
  Result<> Load(PlatformBuild& part, EventSink& sink, const Cancel& cancel);

 private:
  Result<> LoadArchive(PlatformBuild& part, EventSink& sink, const Cancel& cancel);

  const EngineLoadFacts facts_;
  Services& services_;
};

}  // namespace depot::job
