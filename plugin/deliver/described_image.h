#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "driver/oci/manifest.h"

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
};

/// An image without its layers. A value.
struct DescribedImage {
  Descriptor top;     ///< of its index, or of its only manifest
  std::string index;  ///< the index's bytes; "" when there is none
  std::vector<ImagePart> parts;
};

/// The content of a digest; what it gives is checked here.
using ReadDescription = std::function<Result<std::string>(const std::string& digest)>;

/// Reads what `top` names and all that it lists. An index in an index, and a configuration that
/// does not fit its manifest, are kInvalid.
Result<DescribedImage> DescribeImage(const Descriptor& top, const ReadDescription& read);

/// The image of the platform `own`, alone: the only one that runs, else the one for `own`.
/// kNotFound when there is none.
Result<DescribedImage> OnlyPart(const DescribedImage& image, const std::optional<Platform>& own);

/// Which of `manifests`, digests of indexes and manifests that belong to one image, is listed by
/// none of the others; "" when that is not exactly one.
std::string TopOf(const std::vector<std::string>& manifests, const ReadDescription& read);

}  // namespace depot::deliver
