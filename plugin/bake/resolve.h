#pragma once

#include <map>
#include <set>
#include <string>

#include "driver/base/result.h"
#include "plugin/bake/definition.h"
#include "plugin/bake/overrides.h"

namespace depot::bake {

/// What is to be built.
struct Resolution {
  /// All targets by name, also those that others only link to; whole: with what they inherit, and
  /// with context and dockerfile.
  std::map<std::string, Fields> targets;
  std::map<std::string, Group> groups;  ///< those that were asked for, and "default"
  std::set<std::string> linked;         ///< of the targets, those that nobody asked for
  Strings notices;  ///< one line each: what is said of all this, and has no effect
};

/// Where a definition is from.
struct Origin {
  std::string url;     ///< "" = this machine
  bool print = false;  ///< folders of the URL stay as they are, as docker buildx prints them
};

/// Expands groups and globs in `wanted` (empty = "default"; a dot means an underscore), follows
/// `inherits` and links between targets, and puts `overrides` over. What does not exist, links in
/// a circle, and platforms that a linked target has not are kInvalid, by name. `origin` is where
/// the definition is from: relative contexts are there.
Result<Resolution> Resolve(const Definition& definition,
                           Strings wanted,
                           const Overrides& overrides,
                           const Origin& origin = {});

/// The target that a value of `contexts` links to; "" = it is no link.
std::string LinkedTarget(const std::string& context);

}  // namespace depot::bake
