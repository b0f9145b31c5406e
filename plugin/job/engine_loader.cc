#include "plugin/job/engine_loader.h"

#include <algorithm>
#include <memory>

#include "driver/base/backoff.h"
#include "driver/base/random.h"
#include "driver/base/retries.h"
#include "driver/base/text.h"
#include "driver/oci/platform_list.h"
#include "driver/session/services.h"
#include "driver/solve/fan_out.h"
#include "plugin/deliver/engine_load.h"
#include "plugin/deliver/join_platforms.h"

namespace depot::job {
namespace {

/// An Engine of many containers takes its time.
constexpr std::chrono::seconds kRestartTime(30);

/// Where we remember which blobs an Engine has; "" when there is no place for it.
std::string RecordFolder(const Environment& environment) {
  const std::string cache = TrimmedVariable(environment, "XDG_CACHE_HOME");
  if (cache.starts_with('/')) return cache + "/docker-depot/loaded";
  const std::string home = TrimmedVariable(environment, "HOME");
  return home.starts_with('/') ? home + "/.cache/docker-depot/loaded" : "";
}

const plan::Destination* LoadOf(const plan::BuildPlan& plan, std::size_t& index) {
  for (index = 0; index < plan.destinations.size(); ++index) {
    const plan::Destination& destination = plan.destinations[index];
    if (destination.kind == plan::DestinationKind::kEngineLayers) return &destination;
  }
  return nullptr;
}

/// The names of the exporter's image.
std::vector<std::string> NamesOf(const solve::Exporter& exporter) {
  std::vector<std::string> names;
  auto joined = exporter.attrs.find("name");
  if (joined == exporter.attrs.end()) return names;
  for (std::string_view name : Split(joined->second, ','))
    if (!Trim(name).empty()) names.emplace_back(Trim(name));
  return names;
}

/// Leaves of a plan only what is loaded as an archive.
void KeepArchive(plan::BuildPlan& plan) {
  std::vector<solve::Exporter> exporters;
  std::vector<plan::Destination> destinations;
  for (std::size_t i = 0; i < plan.destinations.size(); ++i) {
    if (plan.destinations[i].kind != plan::DestinationKind::kEngineLoad) continue;
    exporters.push_back(plan.request.exporters[i]);
    destinations.push_back(plan.destinations[i]);
  }
  plan.request.exporters = std::move(exporters);
  plan.destinations = std::move(destinations);
}

}  // namespace

Result<> EngineLoader::Load(std::vector<PlatformBuild>& parts,
                            EventSink& sink,
                            const Cancel& cancel) {
  const plan::BuildPlan& plan = parts.front().plan;
  std::size_t index = 0;
  const plan::Destination* destination = LoadOf(plan, index);
  if (destination == nullptr) return {};
  std::vector<std::unique_ptr<deliver::ImageSource>> sources;
  for (const PlatformBuild& part : parts)
    sources.push_back(
        deliver::MakeBuilderSource(*part.builder, *part.described, part.solved.exporter_response));
  const deliver::EngineLoad load{std::move(sources),
                                 facts_.inputs.platforms,
                                 deliver::IndexAnnotationsOf(destination->annotations),
                                 facts_.engine,
                                 facts_.info,
                                 NamesOf(plan.request.exporters[index]),
                                 RecordFolder(facts_.workshop.environment())};
  TRY_ASSIGN(deliver::EngineLoaded loaded, LoadLayers(load, sink, cancel));
  if (loaded.source_lacks) {
    sink.Say(Cat("loading the image as one archive, as the builder did not give all of it: ",
                 loaded.source_lacks->message()));
    TRY_ASSIGN(loaded, LoadArchives(parts, sink, cancel));
  }
  if (!loaded.config_digest.empty() && !facts_.info.containerd_store) {
    parts.front().solved.exporter_response["containerimage.config.digest"] = loaded.config_digest;
  }
  parts.front().loaded = std::move(loaded);
  return {};
}

/// An Engine that restarts in the middle is asked once more what it has.
Result<deliver::EngineLoaded> EngineLoader::LoadLayers(const deliver::EngineLoad& load,
                                                       EventSink& sink,
                                                       const Cancel& cancel) {
  Retries retries(facts_.retries);
  for (;;) {
    auto loaded = deliver::LoadIntoEngine(load, sink, cancel);
    if (loaded || cancel.cancelled() || loaded.error().code() != ErrorCode::kUnavailable) {
      return loaded;
    }
    retries.Lost();
    const auto wait = retries.Next();
    if (!wait) return loaded;
    sink.Say(Cat("WARNING: ", loaded.error().message(), "; loading again when it answers (try ",
                 retries.used(), " of ", retries.most(), ')'));
    if (!cancel.SleepFor(*wait) || !AwaitEngine(cancel)) return loaded;
  }
}

bool EngineLoader::AwaitEngine(const Cancel& cancel) {
  const Backoff backoff = Backoff().Within(kRestartTime);
  for (int failed = 1;; ++failed) {
    if (facts_.engine.Info(cancel)) return true;
    const auto wait = backoff.WaitAfter(failed);
    if (!wait || !cancel.SleepFor(*wait)) return false;
  }
}

/// A classic store takes one platform, its own.
std::deque<EngineLoader::Archived> EngineLoader::ArchivesOf(
    std::vector<PlatformBuild>& parts) const {
  std::deque<Archived> archives;
  auto add = [&](PlatformBuild& part, std::vector<Platform> platforms) {
    Archived& one = archives.emplace_back();
    one.part = &part;
    one.platforms = std::move(platforms);
  };
  for (PlatformBuild& part : parts) {
    const std::vector<Platform>& all = part.share.platforms;
    const bool one = parts.size() == 1 && all.size() < 2;
    if (facts_.info.containerd_store || one) {
      add(part, all);
    } else if (facts_.info.platform &&
               std::find(all.begin(), all.end(), *facts_.info.platform) != all.end()) {
      add(part, {*facts_.info.platform});
    }
  }
  return archives;
}

Result<> EngineLoader::PlanArchive(Archived& archive, bool several) {
  plan::PlanFacts facts = facts_.plan;
  facts.load_layers = false;
  facts.several_builders = several;
  facts.frontend.platforms = archive.platforms;
  facts.frontend.upload_url = services_.AddTo(archive.services, archive.faults);
  options::BuildOptions options = facts_.options;
  // That it holds none has been said.
  if (!facts_.info.containerd_store) options.attests.clear();
  const PlatformBuild& part = *archive.part;
  TRY_ASSIGN(archive.plan,
             plan::MakePlan(options, part.builder->features(), facts_.inputs.source, facts));
  KeepArchive(archive.plan);
  archive.plan.request.cache_imports = part.plan.request.cache_imports;
  return {};
}

Result<std::vector<solve::BuildResult>> EngineLoader::SolveArchives(std::deque<Archived>& archives,
                                                                    deliver::Results& results,
                                                                    const Cancel& cancel) {
  std::vector<solve::Solving> solves;
  for (std::size_t i = 0; i < archives.size(); ++i) {
    Archived& one = archives[i];
    const PlatformBuild& part = *one.part;
    one.exported = session::AddFileSend(one.services, results.targets(i), one.faults, *part.sink);
    TRY(part.builder->Reconnect(cancel));
    solve::Solving& solving = solves.emplace_back();
    solving = {part.builder,
               &one.plan.request,
               RandomId(),
               &one.services,
               &one.faults,
               part.sink,
               FormatPlatforms(one.platforms, ", "),
               facts_.retries};
    solving.start_over = [this, &one, &results, i](const std::string&) -> Result<> {
      TRY(services_.StartOver());
      TRY(results.StartOver(i));
      one.exported->StartOver();
      return {};
    };
    solving.delivered = [&one, &results, i] {
      return one.exported->CheckComplete(results.targets(i)).has_value();
    };
  }
  return solve::SolveAll(solves, cancel);
}

Result<deliver::EngineLoaded> EngineLoader::LoadArchives(std::vector<PlatformBuild>& parts,
                                                         EventSink& sink,
                                                         const Cancel& cancel) {
  std::deque<Archived> archives = ArchivesOf(parts);
  if (archives.empty()) return Fail(deliver::NoPlatformOfTheEngine());
  const bool several = archives.size() > 1;
  deliver::Results results(facts_.workshop.TemporaryDirectory(), facts_.streams);
  for (Archived& one : archives) {
    TRY(PlanArchive(one, several));
    TRY(results.OpenTargets(one.plan, one.platforms, &facts_.engine, sink));
  }
  TRY_ASSIGN(const auto solved, SolveArchives(archives, results, cancel));
  deliver::EngineLoaded loaded;
  for (std::size_t i = 0; i < archives.size(); ++i) {
    TRY(archives[i].exported->CheckComplete(results.targets(i)));
    for (const auto& [key, value] : solved[i].exporter_response)
      archives[i].part->solved.exporter_response[key] = value;
  }
  if (several) {
    TRY_ASSIGN(loaded.digest, results.JoinParts(cancel));
  } else {
    deliver::ExporterResponse& answer = archives.front().part->solved.exporter_response;
    loaded.digest = answer["containerimage.digest"];
    loaded.config_digest = answer["containerimage.config.digest"];
  }
  results.CloseTargets();
  return loaded;
}

}  // namespace depot::job
