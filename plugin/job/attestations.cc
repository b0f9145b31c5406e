#include "plugin/job/attestations.h"

#include <algorithm>

#include "driver/base/text.h"
#include "driver/event/step.h"

namespace depot::job {
namespace {

constexpr std::string_view kProvenance = "buildx.build.provenance";

/// `values` under keys that several builders do not share.
void AddOwn(const PlatformBuild& one,
            bool several,
            const deliver::ExporterResponse& values,
            deliver::ExporterResponse& into) {
  for (const auto& [key, value] : values) {
    bool name_platform = several && key == kProvenance && !one.share.platforms.empty();
    into.emplace(name_platform ? Cat(key, '/', FormatPlatform(one.share.platforms.front())) : key,
                 value);
  }
}

}  // namespace

Result<> CollectSboms(deliver::Sboms& sboms,
                      const std::vector<PlatformBuild>& parts,
                      registry::Registries& registries,
                      EventSink& sink,
                      const Cancel& cancel) {
  if (!sboms.wanted()) return {};
  Step step(sink, "reading the SBOM");
  auto collect = [&]() -> Result<> {
    for (const PlatformBuild& part : parts) {
      TRY(sboms.Collect(
          {*part.builder, part.share.platforms, part.solved.exporter_response, registries},
          cancel));
    }
    return {};
  };
  return step.Finish(collect());
}

deliver::ExporterResponse CollectProvenance(const std::vector<PlatformBuild>& parts,
                                            deliver::ProvenanceMode mode,
                                            EventSink& sink,
                                            const Cancel& cancel) {
  deliver::ExporterResponse all;
  bool possible = std::any_of(parts.begin(), parts.end(), [](const PlatformBuild& part) {
    return part.builder->features().history;
  });
  if (mode == deliver::ProvenanceMode::kDisabled || !possible) return all;
  Step step(sink, "resolving provenance for metadata file");
  Cancel bounded = cancel.WithTimeout(std::chrono::seconds(30), "reading the provenance");
  for (const PlatformBuild& part : parts) {
    if (!part.builder->features().history) continue;
    auto values = deliver::ReadProvenance(*part.builder, part.solved.ref, mode, bounded);
    if (values) {
      AddOwn(part, parts.size() > 1, *values, all);
      continue;
    }
    step.Failed(values.error());
    sink.Say(Cat("WARNING: --metadata-file will have no provenance from ", part.builder->endpoint(),
                 ": ", values.error().message()));
  }
  return all;
}

}  // namespace depot::job
