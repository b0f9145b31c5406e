#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "driver/solve/fan_out.h"
#include "plugin/deliver/results.h"
#include "plugin/deliver/sbom.h"
#include "plugin/deliver/warning_log.h"
#include "plugin/job/caches.h"
#include "plugin/job/delivery.h"
#include "plugin/job/inputs.h"
#include "plugin/job/job.h"
#include "plugin/job/links.h"
#include "plugin/job/platform_build.h"
#include "plugin/job/preflight.h"
#include "plugin/job/services.h"
#include "plugin/progress/streams.h"

namespace depot::job {

/// What a target has come to.
struct Outcome {
  std::string image_id;  ///< see deliver::ImageId(); "" when there is no image
  std::string ref;       ///< of the build on its (first) builder: deliver::BuildRefOf()
  deliver::ExporterResponse response;
  /// Why nothing was loaded although that is the default, in one line; "" = not so.
  std::string not_loaded;
  /// All results are there, but not a cache that was to be written after them.
  std::optional<Error> cache_failure;
  /// Of --call: the metadata of the frontend's answer, for deliver::ShowAnswer().
  std::map<std::string, std::string> answer;
};

/// One build, from what the user said to results that lie where they were asked for. Several can
/// be built at the same time on one Job: each has its inputs, its plans and its results, and they
/// share the builders and the credentials. One thread.
class Target {
 public:
  /// All three must outlive it.
  Target(const options::BuildOptions& options, Workshop& workshop, Streams& streams);
  Target(const Target&) = delete;
  Target& operator=(const Target&) = delete;

  /// Before Build(): how it hangs together with other targets of the run.
  void SetLinkage(Linkage linkage) { linkage_ = std::move(linkage); }

  /// First: whatever is wrong on the user's own machine ends it here, before anything is connected.
  /// `sink` hears what is waited for (standard input, a pipe, the server of a Dockerfile). Blocks.
  Result<> Prepare(EventSink& sink, const Cancel& cancel);

  /// After Prepare(): the directories it offers to builders. None when nothing is built.
  FilterAgreement::Directories Directories() const;

  /// After Prepare(): plan::Source::shared_name.
  const std::string& ContextName() const { return inputs_.source.shared_name; }

  /// Then, once: acquire, plan, solve, deliver. Success means that everything is where it was asked
  /// for. Events go to `sink`; when several targets share a display, each has one that says its
  /// name (MakeLabelledSink()). Blocks.
  Result<Outcome> Build(Job& job, EventSink& sink, const Cancel& cancel);

 private:
  Result<Outcome> BuildAndDeliver(Job& job, EventSink& sink, const Cancel& cancel);
  /// What asks registries while the builders are being acquired.
  struct Questions {
    Preflight& preflight;
    CacheSources& sources;
  };

  Result<std::vector<PlatformBuild>> AcquireAndSolve(Job& job,
                                                     Services& services,
                                                     Questions questions,
                                                     EventSink& sink);
  std::vector<std::string> SaveAs(const Job& job) const;
  Result<docker::Engine*> EngineToLoadInto();
  Result<plan::PlanFacts> LookAround(Job& job, const Cancel& cancel);
  Result<> FindEngine(Job& job, plan::PlanFacts& facts, const Cancel& cancel);
  Result<> Load(std::vector<PlatformBuild>& parts,
                const plan::PlanFacts& facts,
                Services& services,
                EventSink& sink,
                const Cancel& cancel);
  Result<> Plan(std::vector<PlatformBuild>& parts,
                plan::PlanFacts facts,
                Services& services,
                EventSink& sink);
  Result<> Check(PlatformBuild& part, EventSink& sink, const Cancel& cancel);
  Result<> Solve(std::vector<PlatformBuild>& parts, Services& services, const Cancel& cancel);
  std::vector<solve::Solving> SolvesOf(std::vector<PlatformBuild>& parts, Services& services);
  Result<> StartOver(PlatformBuild& part, std::size_t index, Services& services);
  bool MaySendAnew(std::vector<PlatformBuild>& parts, Services& services);
  bool WantsMetadata() const;
  void Record(const PlatformBuild& part, const std::string& ref);
  deliver::ExporterResponse Metadata(const std::vector<PlatformBuild>& parts,
                                     const Job& job,
                                     EventSink& sink,
                                     const Cancel& cancel);
  Result<Outcome> DeliverAnswer(const PlatformBuild& part);
  Result<Outcome> Deliver(const std::vector<PlatformBuild>& parts,
                          Job& job,
                          registry::Registries& registries,
                          EventSink& sink,
                          const Cancel& cancel);

  const options::BuildOptions& options_;
  Workshop& workshop_;
  Streams& streams_;
  Linkage linkage_;
  Inputs inputs_;
  Caches caches_;
  docker::Engine* engine_ = nullptr;  ///< to load into; null when nothing is loaded
  std::string not_loaded_;            ///< see Outcome
  docker::EngineInfo engine_info_;    ///< of `engine_`, when a builder elsewhere loads into it
  RetryLimits retries_;
  bool standby_ = false;  ///< long steps are held from a second connection
  TagRules tag_rules_;
  deliver::Sboms sboms_;  // the targets in results_ send to it
  deliver::Results results_;
  std::optional<deliver::WarningLog> warnings_;  ///< when the metadata file is to have them
};

}  // namespace depot::job
