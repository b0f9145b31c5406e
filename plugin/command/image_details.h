#pragma once

#include <string>

#include "driver/base/cancel.h"
#include "driver/base/json.h"
#include "driver/registry/repository.h"

namespace depot::command {

/// What of an image is wanted beside its manifests and configs.
struct DetailsWanted {
  bool sbom = false;
  bool provenance = false;
};

/// An image of a registry as the data of a template (buildx util/imagetools/printers.go):
/// {"name", "manifest", "image", "SBOM", "Provenance"}, the last three by platform when it has
/// several. `name` is what the user typed. At most 256 images and 256 MiB are read, of indexes that
/// are nested at most 4 deep; more is kInvalid.
Result<Json> ReadImageDetails(registry::Repository& repository,
                              const std::string& name,
                              const registry::StoredManifest& stored,
                              const DetailsWanted& wanted,
                              const Cancel& cancel);

}  // namespace depot::command
