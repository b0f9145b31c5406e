#pragma once

#include <string>
#include <string_view>

#include "driver/base/result.h"

namespace depot {

/// An image name as users write it, in its parts, with Docker's defaults filled in: `busybox` is
/// domain "docker.io", path "library/busybox", tag "latest". (distribution/reference grammar)
struct Reference {
  std::string domain;  ///< host[:port]
  std::string path;
  std::string tag;     ///< "latest" when neither tag nor digest was given, else may be empty
  std::string digest;  ///< "sha256:..." or empty
};

/// Errors say which rule was broken ("repository name must be lowercase").
Result<Reference> ParseReference(std::string_view text);

/// docker.io/library/busybox:latest
std::string FormatReference(const Reference& reference);

/// The short form that Docker shows: busybox:latest, user/image:tag, host/path:tag.
std::string FamiliarReference(const Reference& reference);

/// Without tag and digest: docker.io/library/busybox.
std::string RepositoryOf(const Reference& reference);

}  // namespace depot
