#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "driver/oci/descriptor.h"

namespace depot {

/// The content of the file oci-layout in a layout (OCI image spec, image-layout.md).
inline constexpr std::string_view kLayoutFile = R"({"imageLayoutVersion":"1.0.0"})";

/// A document of the image spec (index, descriptor, config), or an object with such documents in
/// it, with its members in the order that Docker's tools write them (opencontainers/image-spec
/// specs-go/v1), indented by two blanks.
std::string FormatOciJson(const Json& document);

/// What Docker's tools keep of a descriptor that they read: the members that the image spec names,
/// those that are empty left out.
Json KeptDescriptor(const Json& descriptor);

/// The same of an image's config.
Json KeptConfig(const Json& config);

/// The bytes of an index, the same that docker buildx makes of the same entries. Annotations that
/// are empty are left out.
std::string FormatIndex(std::string_view media_type,
                        const std::vector<Descriptor>& entries,
                        const std::map<std::string, std::string>& annotations);

}  // namespace depot
