#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "driver/base/json.h"
#include "driver/oci/platform.h"

namespace depot {

/// Media types of indexes, manifests and image configs (OCI image spec, media-types.md; Docker
/// image manifest version 2, schema 2).
inline constexpr std::string_view kOciIndexType = "application/vnd.oci.image.index.v1+json";
inline constexpr std::string_view kOciManifestType = "application/vnd.oci.image.manifest.v1+json";
inline constexpr std::string_view kDockerListType =
    "application/vnd.docker.distribution.manifest.list.v2+json";
inline constexpr std::string_view kDockerManifestType =
    "application/vnd.docker.distribution.manifest.v2+json";
inline constexpr std::string_view kOciConfigType = "application/vnd.oci.image.config.v1+json";
inline constexpr std::string_view kDockerConfigType =
    "application/vnd.docker.container.image.v1+json";

/// Whether the content is a list of manifests.
bool IsIndex(std::string_view media_type);

/// Whether the content is one image (or one set of attestations): a config and layers.
bool IsManifest(std::string_view media_type);

/// Points at content by its digest (OCI image spec, descriptor.md). A value.
struct Descriptor {
  std::string media_type;
  std::string digest;                ///< well-formed sha256
  std::int64_t size = 0;             ///< bytes, not negative
  std::optional<Platform> platform;  ///< normalised; as written when the names are unknown
  std::map<std::string, std::string> annotations;
  Json json;  ///< all members as they were read, the above included
};

/// The member "annotations" of a descriptor, manifest or index; empty when it has none.
std::map<std::string, std::string> ReadAnnotations(const Json& json);

/// kInvalid without a sha256 digest, with a negative size or when it is no object.
Result<Descriptor> ReadDescriptor(const Json& json);

/// One that says no more than this.
Descriptor MakeDescriptor(std::string_view media_type, const std::string& digest, std::size_t size);

/// Changes the descriptor and its `json` together.
void SetPlatform(Descriptor& descriptor, const Json& platform);
void SetAnnotation(Descriptor& descriptor, const std::string& key, const std::string& value);

/// {"os", "architecture", "variant"} of a descriptor's platform or of an image's config, normalised
/// as ParsePlatform() does; names that it does not know stay as they are. nullopt: names none.
std::optional<Platform> ReadPlatform(const Json& json);

/// The digest of the image that the manifest at `descriptor` has attestations about; "" = it is
/// no attestation manifest (BuildKit docs/attestations/attestation-storage.md).
std::string AttestedDigest(const Descriptor& descriptor);

}  // namespace depot
