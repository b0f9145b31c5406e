#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "driver/oci/descriptor.h"
#include "driver/oci/platform.h"

namespace depot::registry {

/// A `manifest-descriptor` annotation: it goes into the index, beside an image's digest.
struct DescriptorAnnotation {
  std::optional<Platform> platform;  ///< nullopt = every image; never the attestations
  std::string key;
  std::string value;
};

/// What `--annotation` puts into an index.
struct IndexAnnotations {
  std::map<std::string, std::string> index;
  std::vector<DescriptorAnnotation> descriptors;
  /// Beside the index's digest in an archive's index.json; a registry has no place for them.
  std::map<std::string, std::string> index_descriptor = {};
};

/// One image for several platforms, ready to be written to a registry.
struct AssembledIndex {
  std::string media_type;
  std::string digest;
  std::string bytes;
  std::vector<Descriptor> manifests;  ///< as listed in `bytes`
};

/// The manifests that `pushed` stands for: those that the index with these `bytes` lists, as they
/// are, or `pushed` itself when it is no index. An index in an index is kUnsupported: no builder
/// makes one.
Result<std::vector<Descriptor>> Flatten(const Descriptor& pushed, std::string_view bytes);

/// One index of the manifests that several builders pushed; every image has its platform. Same
/// input, same bytes. An entry that comes twice is listed once, with the annotations of both.
/// Order: `platforms`, each image followed by its attestations, then what else there is. kFailed
/// when a platform has no image. The type is Docker's manifest list only when all entries are
/// Docker's and there is neither an attestation nor an annotation, which it has no place for; else
/// OCI's.
Result<AssembledIndex> AssembleIndex(const std::vector<Descriptor>& entries,
                                     const std::vector<Platform>& platforms,
                                     const IndexAnnotations& annotations);

}  // namespace depot::registry
