#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "driver/oci/descriptor.h"
#include "driver/oci/platform.h"
#include "driver/registry/index.h"
#include "driver/registry/repository.h"

namespace depot::registry {

/// An image or an index that a new image is made of.
struct CombineSource {
  Repository* repository = nullptr;  ///< where it is; outlives the call
  Descriptor descriptor;             ///< of `bytes`; what it says more goes into the new index
  std::string bytes;
};

/// What becomes one image.
struct CombineRequest {
  std::vector<CombineSource> sources;  ///< not empty
  IndexAnnotations annotations;
  bool prefer_index = true;         ///< one image alone becomes an index of one
  std::vector<Platform> platforms;  ///< the only ones that are kept; empty = all
};

/// A manifest that the new image needs, and where it is.
struct CombinePart {
  Descriptor descriptor;
  std::size_t source = 0;  ///< index into the request's
};

/// One image, not yet written.
struct CombinedImage {
  std::string media_type;
  std::string digest;
  std::string bytes;
  std::vector<CombinePart> parts;  ///< all that `bytes` lists; itself when it is one manifest
  bool annotated = true;  ///< false: it is a Docker manifest list, which has no place for them
};

/// Merges images and indexes into one index, byte for byte as `docker buildx imagetools create`
/// does (buildx util/imagetools/create.go): the entries of all sources in their order, one that
/// comes twice once; a Docker manifest list when all are Docker's. A single index stays as it is,
/// and without `prefer_index` a single manifest. With `platforms` what is not for one of them, nor
/// an attestation about one, is left out. kFailed when nothing is left.
Result<CombinedImage> CombineImages(const CombineRequest& request, const Cancel& cancel);

}  // namespace depot::registry
