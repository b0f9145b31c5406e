#pragma once

#include <functional>
#include <string>

#include "driver/oci/descriptor.h"
#include "driver/registry/repository.h"

namespace depot::registry {

/// Where a manifest is copied from and to.
struct CopyPlaces {
  Repository& from;
  Repository& to;
  /// The path of `from` when both are of one registry, which can then take blobs by itself; "" =
  /// they are not.
  std::string mount;
  std::string scratch;                   ///< a directory for one blob at a time
  std::function<void(std::string)> say;  ///< gets lines for the user; may be empty
};

/// Puts a manifest, or an index and all that it lists, with their blobs into another repository, by
/// digest. What is there already is not sent again; layers that may not be distributed stay where
/// their URLs are. Every blob is checked against its digest and size before the registry gets the
/// whole of it. An index that is nested deeper than 4, or has more than 2000 manifests, is
/// kInvalid.
Result<> CopyManifest(const CopyPlaces& places, const Descriptor& manifest, const Cancel& cancel);

}  // namespace depot::registry
