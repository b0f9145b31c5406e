#pragma once

#include <string>
#include <vector>

#include "driver/oci/tag_rules.h"
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

/// What of an image we write into registries ourselves. All is owned by the caller.
struct ImagePush {
  const std::vector<Platform>& platforms;  ///< asked for, in the user's order
  const TagRules& rules;
  registry::Registries& registries;
};

/// Every one of the platforms is built: now, and not earlier, they become one
/// image, in the archives of `results`, whose targets are closed then, and under the names in
/// registries. Blocks.
Result<Delivered> JoinPlatforms(const std::vector<PlatformBuild>& parts,
                                const ImagePush& push,
                                deliver::Results& results,
                                EventSink& sink,
                                const Cancel& cancel);

/// One builder has built it all, in the only one of `parts`. What it pushed by digest gets its tags
/// now, as far as the rules let them move, and a line says which stay. An Engine with the classic
/// store has no pushing BuildKit: it pushes by itself now. Blocks.
Result<Delivered> FinishAlone(const std::vector<PlatformBuild>& parts,
                              const ImagePush& push,
                              Job& job,
                              EventSink& sink,
                              const Cancel& cancel);

}  // namespace depot::job
