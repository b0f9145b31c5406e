#pragma once

#include <string>
#include <vector>

#include "driver/solve/history.h"
#include "plugin/command/builder_choice.h"
#include "plugin/command/history_filter.h"
#include "plugin/progress/line_sink.h"

namespace depot::command {

/// What docker buildx and we keep of a build on this machine (deliver::WriteBuildRecord()).
struct LocalState {
  std::string context;     ///< LocalPath; "" = it is not known
  std::string dockerfile;  ///< DockerfilePath
};

/// A record, and who keeps it.
struct KeptRecord {
  solve::HistoryRecord record;
  std::string builder;  ///< as in refs: BUILDER/NODE/REF
  std::string node;
  builder::Builder* keeper = nullptr;  ///< of the BuildHistory
  LocalState local;

  std::string full_ref() const;
};

/// The records of builds that all machines of a builder keep. One thread.
class BuildHistory {
 public:
  /// Gets hold of the machines of the builder that a build with `--builder NAME` would have.
  /// kUnsupported when the Depot API would hand them out. Blocks.
  static Result<BuildHistory> Open(const std::string& builder,
                                   job::Workshop& workshop,
                                   EventSink& sink,
                                   const Call& call);

  /// All records that fit `matches`, the newest first. Blocks.
  Result<std::vector<KeptRecord>> All(const std::vector<RecordMatch>& matches,
                                      const Cancel& cancel);

  /// The record of `ref`: the whole name or its last part; "^N" = the newest but N; "" = the
  /// newest. kNotFound when there is none. Blocks.
  Result<KeptRecord> Find(const std::string& ref, const Cancel& cancel);

 private:
  BuildHistory(std::vector<LeasedBuilder> machines, std::string folder)
      : machines_(std::move(machines)), folder_(std::move(folder)) {}

  Result<std::vector<KeptRecord>> Ask(const std::string& ref, const Cancel& cancel);

  std::vector<LeasedBuilder> machines_;
  std::string folder_;  ///< docker buildx's own
};

/// What a history command has once it runs.
struct HistoryDesk {
  explicit HistoryDesk(const Call& call)
      : sink(call.terminal, call.cancel), workshop(call.environment, call.globals, call.version) {}

  Result<BuildHistory> Open(const std::string& builder, const Call& call) {
    TRY(workshop.ReadDocker());
    return BuildHistory::Open(builder, workshop, sink, call);
  }

  LineSink sink;
  job::Workshop workshop;
};

/// What a build is called: by its context, its Dockerfile and its target (buildx
/// util/history, BuildName).
std::string NameOfBuild(const KeptRecord& kept);

/// RFC 3339 with as many digits of a second as there are, in UTC, or in this machine's zone.
std::string TimeText(const solve::Moment& moment, bool local);

/// Nanoseconds from `begin` to `end`.
std::int64_t Between(const solve::Moment& begin, const solve::Moment& end);

/// "12.3s" or "4m  5s".
std::string SpanText(std::int64_t nanoseconds);

/// This moment.
solve::Moment Now();

}  // namespace depot::command
