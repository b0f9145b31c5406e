#pragma once

#include <string>
#include <string_view>

#include "driver/solve/content.h"
#include "plugin/deliver/metadata.h"

namespace depot::deliver {

/// How much provenance --metadata-file holds.
enum class ProvenanceMode { kDisabled, kMin, kMax };

/// The value of BUILDX_METADATA_PROVENANCE: min (also for anything unknown), max, disabled or false
/// (buildx util/confutil/metadata.go).
ProvenanceMode ParseProvenanceMode(std::string_view value);

/// What the builder recorded of where the result of the solve `ref` comes from, for the metadata
/// file: `buildx.build.provenance`, or one for each platform under
/// `buildx.build.provenance/linux/amd64` and the like (buildx build/provenance.go). Each is base64
/// of a SLSA predicate in the form of version 0.2; kMin leaves its buildConfig and metadata away.
/// Empty when there is no record of it. Blocks.
Result<ExporterResponse> ReadProvenance(builder::Builder& builder,
                                        const std::string& ref,
                                        ProvenanceMode mode,
                                        const Cancel& cancel);

/// The value for one predicate, which the builder has as `predicate_type`.
Result<std::string> ProvenanceValue(std::string_view predicate,
                                    std::string_view predicate_type,
                                    ProvenanceMode mode);

}  // namespace depot::deliver
