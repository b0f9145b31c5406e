#pragma once

#include <deque>
#include <string>
#include <vector>

#include "driver/docker/engine.h"
#include "plugin/deliver/results.h"
#include "plugin/job/inputs.h"
#include "plugin/job/platform_build.h"
#include "plugin/job/services.h"
#include "plugin/job/workshop.h"
#include "plugin/progress/streams.h"

namespace depot::job {

/// What a load is made from; everything outlives the loader.
struct EngineLoadFacts {
  docker::Engine& engine;
  const docker::EngineInfo& info;  ///< of `engine`
  const options::BuildOptions& options;
  Workshop& workshop;
  Streams& streams;
  const Inputs& inputs;
  const plan::PlanFacts& plan;
  RetryLimits retries;
};

/// Brings what the builders have built into the Engine. One thread.
class EngineLoader {
 public:
  /// `services` must outlive it.
  EngineLoader(EngineLoadFacts facts, Services& services) : facts_(facts), services_(services) {}

  /// The destination kEngineLayers of a build that has succeeded, if it has one: only what the
  /// Engine lacks, by the builders' content stores. When one does not have its image (any more),
  /// archives of it are made in other solves, whose steps the builders have, and that is said. What
  /// the Engine has then goes into the first part, and its name for the image into the build's
  /// answer. An Engine that restarts meanwhile is waited for, within EngineLoadFacts::retries.
  /// Blocks.
  Result<> Load(std::vector<PlatformBuild>& parts, EventSink& sink, const Cancel& cancel);

 private:
  /// A builder that makes an archive, and of which platforms.
  struct Archived {
    PlatformBuild* part = nullptr;
    std::vector<Platform> platforms;
    rpc::ServiceTable services;
    session::Faults faults;
    plan::BuildPlan plan;
    std::shared_ptr<session::ExportLog> exported;
  };

  Result<deliver::EngineLoaded> LoadLayers(const deliver::EngineLoad& load,
                                           EventSink& sink,
                                           const Cancel& cancel);
  bool AwaitEngine(const Cancel& cancel);
  std::deque<Archived> ArchivesOf(std::vector<PlatformBuild>& parts) const;
  Result<> PlanArchive(Archived& archive, bool several);
  Result<std::vector<solve::BuildResult>> SolveArchives(std::deque<Archived>& archives,
                                                        deliver::Results& results,
                                                        const Cancel& cancel);
  Result<deliver::EngineLoaded> LoadArchives(std::vector<PlatformBuild>& parts,
                                             EventSink& sink,
                                             const Cancel& cancel);

  const EngineLoadFacts facts_;
  Services& services_;
};

}  // namespace depot::job
