#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "driver/oci/manifest.h"
#include "driver/registry/index.h"

namespace depot::deliver {

/// One manifest of an image, with its configuration: what runs on one platform, or attestations
/// about that. A value.
struct ImagePart {
  Descriptor descriptor;
  std::string bytes;  ///< the manifest's
  Manifest manifest;
  std::string config;                 ///< the configuration's bytes
  std::vector<std::string> diff_ids;  ///< of each layer, in their order; none of attestations
  std::optional<Platform> platform;   ///< nullopt: of attestations, or none that is known
  bool attests = false;
  std::size_t source = 0;  ///< of JoinImages(): the image that it was a part of
};

/// An image without its layers. A value.
struct DescribedImage {
  Descriptor top;     ///< of its index, or of its only manifest
  std::string index;  ///< the index's bytes; "" when there is none
  std::vector<ImagePart> parts;
};

/// The content of a digest; what it gives is checked here.
using ReadDescription = std::function<Result<std::string>(const std::string& digest)>;

/// Reads what `top` names and all that it lists. An index in an index, a configuration that does
/// not fit its manifest, more than 32 MiB in all, and blobs of more than a pebibyte, are kInvalid.
Result<DescribedImage> DescribeImage(const Descriptor& top, const ReadDescription& read);

/// One image of those that several builders made, with an index of all; `platforms` and the errors
/// are those of registry::AssembleIndex().
Result<DescribedImage> JoinImages(std::vector<DescribedImage> images,
                                  const std::vector<Platform>& platforms,
                                  const registry::IndexAnnotations& annotations);

/// The image of the platform `own`, alone: the only one that runs, else the one for `own`.
/// kNotFound when there is none.
Result<DescribedImage> OnlyPart(const DescribedImage& image, const std::optional<Platform>& own);

/// Which of `manifests`, digests of indexes and manifests that belong to one image, is listed by
/// none of the others; "" when that is not exactly one.
std::string TopOf(const std::vector<std::string>& manifests, const ReadDescription& read);

}  // namespace depot::deliver
