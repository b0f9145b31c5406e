#pragma once

#include <memory>
#include <string>

#include "driver/oci/platform.h"
#include "driver/registry/repository.h"
#include "plugin/deliver/image_source.h"

namespace depot::deliver {

/// An image in a registry, under a tag or digest, of which Describe() gives the one for `platform`:
/// kNotFound when there is none, kTimeout after 15 s. Layers come from the registry while they are
/// read, on a thread of their own each, a MiB ahead. `repository` outlives the source.
std::unique_ptr<ImageSource> MakeRegistrySource(registry::Repository& repository,
                                                std::string version,
                                                Platform platform);

}  // namespace depot::deliver
