#pragma once

#include <string>

#include "plugin/bake/definition.h"
#include "plugin/bake/resolve.h"

namespace depot::bake {

/// What `--print` shows, as docker buildx bake does: JSON that can be read back as a definition.
std::string PrintResolution(const Resolution& resolution);

/// What `--list targets` shows: names and descriptions, groups too, those with a leading `_` left
/// out. A table, or JSON.
std::string ListTargets(const Definition& definition, bool json);

/// What `--list variables` shows.
std::string ListVariables(const Definition& definition, bool json);

}  // namespace depot::bake
