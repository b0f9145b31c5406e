#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "driver/oci/descriptor.h"
#include "driver/oci/platform.h"
#include "driver/registry/index.h"
#include "plugin/deliver/metadata.h"
#include "plugin/options/build_options.h"

namespace depot::deliver {

/// What one of several builders answered.
struct PlatformResult {
  std::vector<Platform> platforms;
  ExporterResponse response;
};

/// The annotations that belong to the index of all platforms, and to the descriptors in it.
registry::IndexAnnotations IndexAnnotationsOf(const std::vector<options::Annotation>& annotations);

/// What the builders say that they made, for registry::PushIndex(): `containerimage.descriptor`
/// (BuildKit exporter/containerimage/exptypes), which is base64 of JSON. kInvalid when a builder
/// gives none that can be read. A builder answers for its last exporter.
Result<std::vector<Descriptor>> DescriptorsOf(const std::vector<PlatformResult>& results);

/// The same for the exporter with this index, from what a builder recorded of its solve.
Result<Descriptor> RecordedDescriptor(const std::map<std::int64_t, Descriptor>& recorded,
                                      std::size_t exporter,
                                      const std::vector<Platform>& platforms);

/// One answer for all. `index` is the joined image's digest; "" when nothing was joined. `names`
/// are those that the index was pushed under. Has `containerimage.digest` (the index, or without
/// one the first builder's), `image.name` (`names`, or without any the first builder's), and
/// `depot.platforms`: base64 of a JSON object with what each builder answered, by its platforms
/// ("linux/arm64", or several with commas), so that every platform's digests stand under a stable
/// key in the metadata file.
ExporterResponse JoinResponses(const std::vector<PlatformResult>& results,
                               const std::string& index,
                               const std::vector<std::string>& names);

}  // namespace depot::deliver
