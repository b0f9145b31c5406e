#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "driver/base/environment.h"
#include "driver/base/result.h"
#include "plugin/bake/fields.h"
#include "plugin/bake/ignored.h"
#include "plugin/hcl/document.h"

namespace depot::bake {

/// As many targets as a definition may have, a matrix's included.
constexpr std::size_t kMostTargets = 10'000;

/// In front of a context or a file: it is in the working directory, wherever the definition is
/// from.
inline constexpr std::string_view kHere = "cwd://";

/// A name for several targets.
struct Group {
  std::optional<std::string> description;
  Strings targets;  ///< of targets and groups
};

/// A variable as --list shows it.
struct VariableFact {
  std::string name;
  std::string type;                  ///< "list of string"; "" = none was written
  std::optional<std::string> value;  ///< as text, collections as JSON; nullopt = null
  std::string description;
};

/// What the files of a definition say together, evaluated: targets without what they inherit.
struct Definition {
  std::map<std::string, Fields, std::less<>> targets;
  std::map<std::string, Group, std::less<>> groups;
  std::vector<VariableFact> variables;  ///< sorted by name
  Ignored ignored;                      ///< what was said and has no effect
};

/// What a definition sees of its surroundings.
struct Surroundings {
  Environment variables;               ///< override variables of their names
  std::string command_context{kHere};  ///< BAKE_CMD_CONTEXT
  std::string home{};                  ///< what homedir() gives; "" = not known
  /// Real paths outside of the working directory that the definition may read, too (the git
  /// checkout, --allow fs.read). Asked when a file is named that lies there; empty = none.
  std::function<Strings()> readable{};
};

/// Evaluates files as one body over the targets and groups that compose files gave. Every target is
/// evaluated, also one that nobody asks for. Errors point into the files.
Result<Definition> EvaluateDefinition(const std::vector<hcl::Body>& files,
                                      Definition compose,
                                      const Surroundings& surroundings);

/// Letters, digits, `-` and `_`, at least one.
bool IsTargetName(std::string_view name);

/// Where `name` is said of a target: dots, which services may have, mean underscores.
std::string AsTargetName(std::string name);

}  // namespace depot::bake
