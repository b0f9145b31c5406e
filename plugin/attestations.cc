#include "plugin/attestations.h"

#include <algorithm>

#include "driver/base/text.h"
#include "driver/event/step.h"

namespace depot {
namespace {

constexpr std::string_view kProvenance = "buildx.build.provenance";

/// `values` under keys that several builders do not share.
void AddOwn(const Held& one,
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
                      const std::vector<Held>& held,
                      const std::vector<solve::BuildResult>& solved,
                      registry::Registries& registries,
                      EventSink& sink,
                      const Cancel& cancel) {
  if (!sboms.wanted()) return {};
  Step step(sink, "reading the SBOM");
  auto collect = [&]() -> Result<> {
    for (std::size_t i = 0; i < held.size(); ++i) {
      TRY(sboms.Collect(
          {*held[i].builder, held[i].share.platforms, solved[i].exporter_response, registries},
          cancel));
    }
    return {};
  };
  return step.Finish(collect());
}

deliver::ExporterResponse CollectProvenance(const std::vector<Held>& held,
                                            const std::vector<solve::BuildResult>& solved,
                                            deliver::ProvenanceMode mode,
                                            EventSink& sink,
                                            const Cancel& cancel) {
  deliver::ExporterResponse all;
  bool possible = std::any_of(held.begin(), held.end(),
                              [](const Held& one) { return one.builder->features().attestations; });
  if (mode == deliver::ProvenanceMode::kDisabled || !possible) return all;
  Step step(sink, "resolving provenance for metadata file");
  Cancel bounded = cancel.WithTimeout(std::chrono::seconds(30), "reading the provenance");
  for (std::size_t i = 0; i < held.size(); ++i) {
    if (!held[i].builder->features().attestations) continue;
    auto values = deliver::ReadProvenance(*held[i].builder, solved[i].ref, mode, bounded);
    if (values) {
      AddOwn(held[i], held.size() > 1, *values, all);
      continue;
    }
    step.Failed(values.error());
    sink.Say(Cat("WARNING: --metadata-file will have no provenance from ",
                 held[i].builder->endpoint(), ": ", values.error().message()));
  }
  return all;
}

}  // namespace depot
