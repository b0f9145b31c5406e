#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "driver/base/result.h"
#include "plugin/options/build_options.h"

namespace depot::options {

/// One value of --annotation: `[TYPE[platform][,TYPE...]:]KEY=VALUE`, where TYPE is manifest (also
/// when none is given), manifest-descriptor, index or index-descriptor; only the first two can have
/// a platform. What stands before the first colon of the key is the types (buildx
/// util/buildflags/export.go). kUsage otherwise.
Result<std::vector<Annotation>> ParseAnnotation(std::string_view value);

/// What an attribute of an image exporter sets: "annotation-manifest[linux/amd64].KEY", or
/// "annotation.KEY" of every manifest (BuildKit exporter/containerimage/exptypes/annotations.go).
/// nullopt: it is no annotation.
std::optional<Annotation> AnnotationOfAttribute(std::string_view key, std::string_view value);

}  // namespace depot::options
