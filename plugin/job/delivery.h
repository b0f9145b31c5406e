#pragma once

#include <string>
#include <vector>

#include "driver/registry/repository.h"
#include "plugin/deliver/metadata.h"
#include "plugin/deliver/results.h"
#include "plugin/job/job.h"
#include "plugin/job/platform_build.h"

namespace depot::job {

/// What the image is called, and where it is.
struct Delivered {
  deliver::ExporterResponse response;  ///< one answer for all platforms
  deliver::ImageIdKind id_kind = deliver::ImageIdKind::kManifest;
};

/// Every one of `platforms`, in the user's order, is built: now, and not earlier, they become one
/// image, in the archives of `results`, whose targets are closed then, and under the names in
/// registries. Blocks.
Result<Delivered> JoinPlatforms(const std::vector<PlatformBuild>& parts,
                                const std::vector<Platform>& platforms,
                                deliver::Results& results,
                                registry::Registries& registries,
                                EventSink& sink,
                                const Cancel& cancel);

/// One builder has built it all. An Engine with the classic store has no pushing BuildKit: it
/// pushes by itself now. Blocks.
Result<Delivered> FinishAlone(const PlatformBuild& part,
                              Job& job,
                              EventSink& sink,
                              const Cancel& cancel);

}  // namespace depot::job
