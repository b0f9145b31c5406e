#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "driver/base/result.h"
#include "plugin/options/build_options.h"

namespace depot::options {

/// Reads what follows the word `build`. nullopt: --help was asked for. Every flag of `docker buildx
/// build` is known; the ones that this program cannot do yet are refused, never ignored. What can
/// be judged from the command line alone is judged here: the form of every value, flags that
/// exclude each other, a push without a name, two outputs to one place. Errors are kUsage with a
/// hint. `program` is how the user calls us ("docker depot"), for that hint.
Result<std::optional<BuildOptions>> ParseBuildFlags(const std::vector<std::string>& words,
                                                    std::string_view program);

/// The same for one or many, without judging flags together, for what is only to be looked at;
/// CheckTogether() does that. There is no --help. One thread.
class BuildValues {
 public:
  explicit BuildValues(std::string program);
  ~BuildValues();
  BuildValues(const BuildValues&) = delete;
  BuildValues& operator=(const BuildValues&) = delete;

  Result<BuildOptions> Parse(const std::vector<std::string>& words);

 private:
  struct Parts;

  const std::string program_;
  const std::unique_ptr<Parts> parts_;
};

/// All flags of `build`, without their setters.
std::vector<flags::Flag> BuildFlagNames();

/// What `build --help` prints: usage, description, flags; at most 80 columns.
std::string BuildHelp(std::string_view program);

/// Whether the result must come into the local Engine: --load, or an output type=docker that names
/// no file. The Engine is then asked what it can load before the build is planned.
bool WantsLoad(const BuildOptions& options);

}  // namespace depot::options
