#pragma once

#include <string>

#include "driver/base/environment.h"
#include "plugin/options/build_options.h"

namespace depot::deliver {

/// A build on a builder that docker buildx knows, too.
struct BuildRecord {
  std::string builder;
  std::string node;
  std::string ref;  ///< the build's id on it
};

/// The value of `buildx.build.ref`; a builder without a name is depot/depot0. "" without a ref.
std::string BuildRefOf(const BuildRecord& record);

/// Writes what docker buildx itself keeps of a build that it starts, into `folder`, which is its
/// own (builder::BuildxFolder()): refs/BUILDER/NODE/REF (buildx localstate/localstate.go). By that
/// `docker buildx history` has a name for it. Nothing when the builder has no name, or one that is
/// none for buildx; nothing under sudo either, where the folder is somebody else's. That it cannot
/// be written is no reason not to build. URLs are written without credentials.
void WriteBuildRecord(const std::string& folder,
                      const BuildRecord& record,
                      const options::BuildOptions& options,
                      const Environment& environment);

}  // namespace depot::deliver
