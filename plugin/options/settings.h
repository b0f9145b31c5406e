#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "driver/base/environment.h"
#include "driver/base/result.h"
#include "plugin/options/build_options.h"

namespace depot::options {

/// What becomes of a variable that docker buildx, docker or the Depot CLI read for a build.
enum class Fate {
  kHonoured,  ///< it means here what it means there
  kRefused,   ///< it would change what is built, or what may be built: the build ends
  kSaid,      ///< it has no effect here, and one line says so
  kNoMatter,  ///< no build is any different for it
};

/// When a variable asks for something at all; an empty one never does.
enum class Asks { kAlways, kWhenTrue };

/// One variable of docker buildx, docker or the Depot CLI.
struct Setting {
  std::string_view name;  ///< with a star at its end, every variable that begins so
  Fate fate = Fate::kHonoured;
  Asks asks = Asks::kAlways;
  std::string_view text{};  ///< of kRefused and kSaid: why, and what to do
};

/// The list of all of them, so that none is passed over in silence: who lets the program read one
/// more adds it here. The files that they name come with them; what else is read from files is said
/// where it is read (`Dockerfile.rego`: plan::CheckPolicyFile()).
const std::vector<Setting>& KnownSettings();

/// Goes through `environment`: the lines to say, for what has no effect or is neither true nor
/// false where it should be. kUnsupported for the first that is refused.
Result<std::vector<std::string>> CheckSettings(const Environment& environment);

/// BUILDKIT_PROGRESS, which counts when neither --progress nor --quiet says anything (docker buildx
/// commands/build.go): what it says is written into `options`. kUsage for what is no form.
Result<> ApplyProgressVariable(const Environment& environment, BuildOptions& options);

}  // namespace depot::options
