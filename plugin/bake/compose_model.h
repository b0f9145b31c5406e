#pragma once

#include <string>
#include <string_view>

#include "driver/base/result.h"
#include "driver/base/yaml.h"
#include "plugin/bake/interpolation.h"

/// The parts of a compose file as a tree of one form, whichever of its forms a user chose.
namespace depot::bake {

/// Replaces the variables in all values of `node`; keys stay. Errors name the line.
Result<> InterpolateTree(Yaml& node, const Lookup& lookup);

/// Brings what a build needs of one compose file into its long form: `build` is a map, args,
/// labels, environment, extra_hosts and additional contexts are maps, secrets a list of maps,
/// env_file a list. What has a wrong type is kInvalid with line and key.
Result<> NormalizeFile(Yaml& file);

/// Puts a later file, or what extends a service, over `into`: maps key by key, lists one behind the
/// other; `!reset` takes away, `!override` replaces.
void MergeTree(Yaml& into, const Yaml& later);

/// Makes the paths of a service relative to where `folder` is relative to.
void RebaseService(Yaml& service, const std::string& folder);

/// The same for a whole file.
void RebaseFile(Yaml& file, const std::string& folder);

/// The text of a number or a switch as compose reads it: `1.50` is 1.5, `0x1F` is 31.
std::string ScalarText(const Yaml& node);

/// Finds a key to change it; nullptr when it is not there.
Yaml* FindKey(Yaml& map, std::string_view key);

/// What a key says; nullptr when it is not there, or null.
const Yaml* Said(const Yaml& map, std::string_view key);

/// A mistake in a compose file at a line.
Error BadCompose(const Yaml& node, std::string_view what);

/// Whether a context or path is one of this machine.
bool IsLocalPath(const std::string& path);

}  // namespace depot::bake
