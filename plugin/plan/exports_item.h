#pragma once

#include <map>
#include <string>
#include <string_view>

#include "plugin/plan/exports.h"

namespace depot::plan {

/// An output on its way to become an exporter. A value.
struct Item {
  std::string type;  ///< local, tar, oci, docker, image
  std::map<std::string, std::string> attrs;
  Destination destination;
};

/// Whether the attribute is there and a true boolean.
bool IsOn(const Item& item, const std::string& key);

/// Whether it makes an image in a store or a registry.
bool IsImage(const Item& item);

/// Whether it makes one and pushes it.
bool IsPush(const Item& item);

/// Whether it goes into the local Engine.
bool IsLoad(const Item& item);

/// Whether an image name says a tag (ParseReference() fills in "latest").
bool HasTag(std::string_view name);

/// A destination of this kind.
Destination To(DestinationKind kind, const std::string& path);

/// What the user asked for, before the builder is looked at.
std::vector<Item> Asked(const options::BuildOptions& options);

}  // namespace depot::plan
