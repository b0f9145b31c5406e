#pragma once

#include <memory>
#include <string>

#include "driver/registry/repository.h"
#include "driver/session/layout_store.h"

namespace depot::job {

/// An OCI layout on disk, read and written as a repository of a registry is: what copies images
/// need not know which of the two it has. Blobs are checked when they are read whole, as everywhere
/// else. Any thread.
std::unique_ptr<registry::Repository> MakeLayoutRepository(
    std::shared_ptr<session::LayoutStore> store);

}  // namespace depot::job
