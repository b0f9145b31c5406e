#pragma once

#include <vector>

#include "plugin/deliver/provenance.h"
#include "plugin/deliver/sbom.h"
#include "plugin/job/platform_build.h"

namespace depot::job {

/// Reads the SBOMs of what the builders of a target have solved; to be called right after the
/// solves, because builders throw away what nothing needs. Shown as a step. Errors as of
/// deliver::Sboms::Collect().
Result<> CollectSboms(deliver::Sboms& sboms,
                      const std::vector<PlatformBuild>& parts,
                      registry::Registries& registries,
                      EventSink& sink,
                      const Cancel& cancel);

/// The provenance of all that was built, for the metadata file; of several builders each under its
/// platform. Shown as a step. What cannot be had within 30 s is a warning and no more: the build is
/// done. Builders that keep no records are not asked.
deliver::ExporterResponse CollectProvenance(const std::vector<PlatformBuild>& parts,
                                            deliver::ProvenanceMode mode,
                                            EventSink& sink,
                                            const Cancel& cancel);

}  // namespace depot::job
