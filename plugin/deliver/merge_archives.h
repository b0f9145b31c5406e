#pragma once

#include <string>
#include <vector>

#include "driver/base/cancel.h"
#include "driver/oci/platform.h"
#include "driver/registry/index.h"
#include "driver/session/targets.h"

namespace depot::deliver {

/// What one of several builders sent of an archive: a regular file, read from its beginning; not
/// owned.
struct ArchivePart {
  int descriptor = -1;
  std::vector<Platform> platforms;  ///< one or more
};

/// Joins tar archives of files (exporter `tar`): the entries of a part with one platform come below
/// linux_amd64/ and the like, as BuildKit lays out several platforms (exporter/local); those of one
/// with several have such folders already. Hard links stay within their part. A part that is not a
/// whole tar archive is kInvalid. Blocks; what is written goes to `target`, which is ended.
Result<> MergeTarArchives(const std::vector<ArchivePart>& parts,
                          session::StreamTarget& target,
                          const Cancel& cancel);

/// Joins OCI archives (exporter `oci`; OCI image spec, image-layout.md) into one, whose index.json
/// names one image index that lists the manifests of all parts, attestations included, under the
/// names (annotations) that the parts' index.json gave. Each blob is there once. Gives the digest
/// of that image index, to which `annotations` were added. Nothing is trusted: blobs are checked
/// against their names.
Result<std::string> MergeImageArchives(const std::vector<ArchivePart>& parts,
                                       const registry::IndexAnnotations& annotations,
                                       session::StreamTarget& target,
                                       const Cancel& cancel);

}  // namespace depot::deliver
