#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "driver/disk/whole_file.h"
#include "driver/docker/engine.h"
#include "driver/registry/index.h"
#include "driver/session/targets.h"
#include "plugin/deliver/metadata.h"
#include "plugin/deliver/path_claims.h"
#include "plugin/deliver/tree_clearing.h"
#include "plugin/options/build_options.h"
#include "plugin/plan/plan.h"
#include "plugin/progress/streams.h"

namespace depot::deliver {

/// The places on this machine where a build's results are written: opened, and so checked, before
/// the build starts, and given their final names after it has succeeded. One thread.
class Results {
 public:
  /// `temporary` is the directory for what has to be kept until all builders have sent their part;
  /// `streams` must outlive it.
  Results(std::string temporary, Streams& streams)
      : temporary_(std::move(temporary)), streams_(streams) {}

  /// --iidfile and --metadata-file. An old id file is removed now, so that a failed build leaves
  /// none.
  Result<> OpenReports(const options::BuildOptions& options);

  /// Where the bytes of one builder's exporters go; once for each builder, which builds
  /// `platforms`. The kind kSbomFiles is for Sboms::Prepare(). `engine` is used for the kind
  /// kEngineLoad and may else be null; both it and `sink` must last until CloseTargets().
  Result<> OpenTargets(const plan::BuildPlan& plan,
                       const std::vector<Platform>& platforms,
                       docker::Engine* engine,
                       EventSink& sink);

  /// For session::AddFileSend(), of the builder that was the `builder`th, once those of all are
  /// open; valid until CloseTargets().
  std::map<int, session::ExportTarget>& targets(std::size_t builder) { return targets_[builder]; }

  /// Takes back what the `builder`th builder has sent, so that it can send all of it again. An
  /// Error says where some of it is that cannot be taken back. For several builders at once.
  Result<> StartOver(std::size_t builder) const;

  /// Joins what several builders sent as parts of one archive, with its Destination's annotations.
  /// Gives the digest of a joined image, or "".
  Result<std::string> JoinParts(const Cancel& cancel);

  /// Call when the solves are over, before the sink given to OpenTargets() goes: waits for whoever
  /// still works on a target.
  void CloseTargets();

  /// Gives the exported files their names, removes what an output with mode=delete has no more, and
  /// writes the reports; with an empty `ref` there was no build. Returns the image's id; "" when
  /// the build made none.
  Result<std::string> Commit(const ExporterResponse& response,
                             const std::string& ref,
                             ImageIdKind id_kind);

 private:
  const std::string temporary_;
  Streams& streams_;
  std::unique_ptr<disk::WholeFile> id_file_;
  std::unique_ptr<disk::WholeFile> metadata_file_;
  /// An archive, or a tree, that several builders' parts are joined into.
  struct Joined {
    bool image = false;  ///< OCI archives, not archives of files
    registry::IndexAnnotations annotations;
    std::unique_ptr<session::StreamTarget> target;  ///< null: a tree
    std::unique_ptr<PathClaims> claims;             ///< null: each has a folder of its own
    std::vector<Fd> files;
    std::vector<std::vector<Platform>> platforms;
  };

  Result<std::unique_ptr<session::StreamTarget>> OpenStream(const plan::Destination& destination,
                                                            docker::Engine* engine,
                                                            EventSink& sink);
  Result<session::DirectoryTarget> OpenDirectory(int index,
                                                 const plan::Destination& destination,
                                                 const std::vector<Platform>& platforms);
  SentPaths* SentTo(const plan::Destination& destination);
  Result<std::unique_ptr<session::StreamTarget>> OpenLayout(const std::string& path);
  PathClaims* ClaimsFor(int index, const plan::Destination& destination);
  Result<std::unique_ptr<session::StreamTarget>> OpenAside(std::string_view what, Fd& kept);
  Result<std::unique_ptr<session::StreamTarget>> OpenPart(Joined& joined,
                                                          const std::vector<Platform>& platforms);

  std::vector<std::unique_ptr<disk::WholeFile>> archives_;
  std::vector<std::map<int, session::ExportTarget>> targets_;
  std::map<int, Joined> joined_;  ///< by the exporter's index
  struct Layout {
    std::string directory;
    Fd archive;  ///< what the builder sent, kept aside
  };
  std::vector<Layout> layouts_;
  std::map<std::string, SentPaths> cleared_;  ///< outputs with mode=delete, by directory
};

}  // namespace depot::deliver
