#pragma once

#include <map>
#include <string>
#include <vector>

namespace depot::deliver {

using ExporterResponse = std::map<std::string, std::string>;

/// Which digest names the image where it went: an Engine with the classic store, and the archive
/// that `docker load` reads, know an image by the digest of its configuration; registries, OCI
/// archives and the containerd store by the digest of its manifest.
enum class ImageIdKind { kConfig, kManifest };

/// What -q prints and --iidfile holds; "" when the build made no image.
std::string ImageId(const ExporterResponse& response, ImageIdKind kind);

/// The content of --metadata-file: one JSON object, keys sorted, indented by two blanks, as `docker
/// buildx build` writes it; values that are base64 of a JSON object or of an array of objects are
/// embedded (buildx util/buildflags, build/metadata). `ref` is of BuildRefOf(); "" = the builder
/// has no record.
std::string MetadataJson(const ExporterResponse& response, const std::string& ref);

/// The value of `depot.build`, as the Depot CLI writes it (depot/cli pkg/buildx/commands/build.go):
/// base64 of {"buildID","projectID"}, and of a bake "targets", those that were asked for.
std::string DepotBuildValue(const std::string& build,
                            const std::string& project,
                            const std::vector<std::string>& targets = {});

}  // namespace depot::deliver
