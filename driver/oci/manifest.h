#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "driver/oci/descriptor.h"

namespace depot {

/// The largest manifest or index that registries take (distribution spec, pushing manifests).
inline constexpr std::size_t kMaxManifestSize = 4 << 20;

/// Manifests for several platforms, and attestations about them (OCI image spec, image-index.md).
struct ImageIndex {
  std::vector<Descriptor> manifests;
  std::map<std::string, std::string> annotations;  ///< of the index itself
};

/// One image, or one set of attestations (OCI image spec, manifest.md).
struct Manifest {
  Descriptor config;
  std::vector<Descriptor> layers;
};

/// Both are kInvalid for content of more than kMaxManifestSize, for what is not JSON, for a
/// malformed descriptor, and for content that can be read as an index and as a manifest at once
/// (CVE-2021-41190). The errors do not name the content: the caller knows where it came from.
Result<ImageIndex> ParseIndex(std::string_view bytes);
Result<Manifest> ParseManifest(std::string_view bytes);

/// The media type that an index or manifest says of itself; "" = it does not say, or is malformed.
std::string OwnMediaType(std::string_view bytes);

/// The "platform" member that belongs into a descriptor of an image with this config: the members
/// that describe a platform (OCI image spec, config.md). An empty object when it names none.
Result<Json> PlatformOfConfig(std::string_view config);

}  // namespace depot
