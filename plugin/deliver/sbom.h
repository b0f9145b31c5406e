#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "driver/builder/builder.h"
#include "driver/registry/repository.h"
#include "driver/session/targets.h"
#include "plugin/deliver/metadata.h"
#include "plugin/deliver/sbom_documents.h"
#include "plugin/deliver/sbom_files.h"
#include "plugin/plan/plan.h"

namespace depot::deliver {

/// What one builder has built, to read SBOMs from. Not owned.
struct SbomSource {
  builder::Builder& builder;
  const std::vector<Platform>& platforms;  ///< empty = the builder's own
  const ExporterResponse& response;
  registry::Registries& registries;
};

/// --sbom-dir, from before the build until the files lie there. Without a directory nothing of it
/// does anything. One thread.
class Sboms {
 public:
  /// `directory` is "" when not asked for.
  explicit Sboms(std::string directory) : directory_(std::move(directory)) {}

  bool wanted() const { return !directory_.empty(); }

  /// Checks that files can be made in the directory, or that it can be made (0755 less umask).
  /// Leaves nothing behind: the place may be inside of a build context.
  Result<> CheckDirectory() const;

  /// Once for each builder, in order, before the solve: opens the target for the plan's destination
  /// kSbomFiles, if it has one; what is in `targets` must not outlive *this.
  void Prepare(const plan::BuildPlan& plan, std::map<int, session::ExportTarget>& targets);

  /// Once for each builder, in order, right after the solve: reads the SBOMs of every platform.
  /// Sources, in this order: what a Depot builder answers (`depot/sboms`, depot/cli pkg/sbom); the
  /// image in the builder's content store, or in the registry that it was pushed to when the
  /// builder no longer has it; the target of Prepare(). A platform without an SBOM is an Error.
  Result<> Collect(const SbomSource& source, const Cancel& cancel);

  /// Writes the files, each at once or not at all; gives their paths. `target` as for
  /// SbomFileContents(): "" = it is the only one.
  Result<std::vector<std::string>> Write(const std::string& target) const;

 private:
  struct Prepared {
    std::unique_ptr<SbomFiles> files;  ///< null = the image can be read
    std::string pushed_to;             ///< a name of that image in a registry; "" = not pushed
  };

  Result<std::vector<SbomDocument>> Read(const SbomSource& source,
                                         const Prepared& prepared,
                                         const Platform& otherwise,
                                         const Cancel& cancel) const;

  const std::string directory_;
  std::vector<Prepared> prepared_;
  std::size_t collected_ = 0;  ///< of prepared_
  std::vector<Platform> platforms_;
  std::vector<SbomDocument> documents_;
};

}  // namespace depot::deliver
