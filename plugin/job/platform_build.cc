#include "plugin/job/platform_build.h"

#include "driver/event/labelled_sink.h"
#include "driver/oci/platform_list.h"

namespace depot::job {

std::vector<PlatformBuild> PartsOf(std::vector<choice::Assignment> assigned, EventSink& sink) {
  std::vector<PlatformBuild> parts(assigned.size());
  for (std::size_t i = 0; i < assigned.size(); ++i) {
    PlatformBuild& part = parts[i];
    part.share = std::move(assigned[i].share);
    part.builder = assigned[i].builder;
    part.buildx = std::move(assigned[i].buildx);
    part.sink = &sink;
    part.described = std::make_shared<session::DescriptionStore>();
    if (assigned.size() == 1) continue;
    part.labelled = MakeLabelledSink(sink, FormatPlatforms(part.share.platforms, ", "));
    part.sink = part.labelled.get();
  }
  return parts;
}

}  // namespace depot::job
