#pragma once

#include <optional>
#include <string>
#include <vector>

#include "driver/base/result.h"
#include "plugin/command/command.h"
#include "plugin/options/build_options.h"

namespace depot::command {

/// What --list asks for.
struct WantedList {
  bool variables = false;  ///< or targets
  bool json = false;
};

/// What the user said on the command line of `bake`.
struct BakeOptions {
  std::vector<std::string> targets;
  std::vector<std::string> files;
  std::vector<std::string> settings;   ///< --set
  std::vector<std::string> variables;  ///< --var
  std::vector<std::string> allow;
  bool print = false;
  std::optional<WantedList> list;
  bool push = false;
  bool load = false;
  std::optional<bool> no_cache;
  std::optional<bool> pull;
  std::string sbom;        ///< "" = not given
  std::string provenance;  ///< "" = not given
  options::FrontendCall call;
  std::string metadata_file;
  std::size_t max_parallel = 16;  ///< targets at a time
  /// What is the same for all targets: builder, project, token, progress and the like.
  options::BuildOptions common;
};

/// nullopt: --help was asked for, and is printed. Errors are kUsage with a hint.
Result<std::optional<BakeOptions>> ParseBakeFlags(const Call& call);

/// Takes over what is the same for all builds of the run: the builder, who asks for it, and the
/// like, but not the project.
void TakeCommonOptions(const BakeOptions& line, options::BuildOptions& options);

/// The same for a target, and what the line wants of its result. Of one that is `linked`, built
/// because others use it, nothing is saved.
void TakeTargetOptions(const BakeOptions& line, bool linked, options::BuildOptions& options);

/// What the flags mean as values of `--set`, behind those of the user.
std::vector<std::string> SettingsOf(const BakeOptions& options);

}  // namespace depot::command
