#include "plugin/job/engine_loader.h"

#include "driver/base/random.h"
#include "driver/base/text.h"
#include "driver/session/services.h"
#include "driver/solve/fan_out.h"
#include "plugin/deliver/engine_load.h"
#include "plugin/deliver/stream_targets.h"

namespace depot::job {
namespace {

/// Where we remember which blobs an Engine has; "" when there is no place for it.
std::string RecordFolder(const Environment& environment) {
  const std::string cache = TrimmedVariable(environment, "XDG_CACHE_HOME");
  if (cache.starts_with('/')) return cache + "/docker-depot/loaded";
  const std::string home = TrimmedVariable(environment, "HOME");
  return home.starts_with('/') ? home + "/.cache/docker-depot/loaded" : "";
}

/// The names of the image that is loaded.
std::vector<std::string> NamesOf(const plan::BuildPlan& plan) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < plan.destinations.size(); ++i) {
    if (plan.destinations[i].kind != plan::DestinationKind::kEngineLayers) continue;
    const auto& attrs = plan.request.exporters[i].attrs;
    auto joined = attrs.find("name");
    if (joined == attrs.end()) continue;
    for (std::string_view name : Split(joined->second, ','))
      if (!Trim(name).empty()) names.emplace_back(Trim(name));
  }
  return names;
}

/// Leaves of a plan only what is loaded as an archive.
void KeepArchive(plan::BuildPlan& plan) {
  std::vector<solve::Exporter> exporters;
  for (std::size_t i = 0; i < plan.destinations.size(); ++i)
    if (plan.destinations[i].kind == plan::DestinationKind::kEngineLoad) {
      exporters.push_back(plan.request.exporters[i]);
    }
  plan.request.exporters = std::move(exporters);
}

}  // namespace

Result<> EngineLoader::Load(PlatformBuild& part, EventSink& sink, const Cancel& cancel) {
  const deliver::EngineLoad load{*part.builder,
                                 *part.described,
                                 part.solved.exporter_response,
                                 facts_.engine,
                                 facts_.info,
                                 NamesOf(part.plan),
                                 RecordFolder(facts_.workshop.environment())};
  TRY_ASSIGN(const deliver::EngineLoaded loaded, deliver::LoadIntoEngine(load, sink, cancel));
  if (loaded.builder_lacks) {
    sink.Say(Cat("loading the image as one archive, as the builder did not give all of it: ",
                 loaded.builder_lacks->message()));
    return LoadArchive(part, sink, cancel);
  }
  if (!loaded.config_digest.empty() && !facts_.info.containerd_store) {
    part.solved.exporter_response["containerimage.config.digest"] = loaded.config_digest;
  }
  return {};
}

Result<> EngineLoader::LoadArchive(PlatformBuild& part, EventSink& sink, const Cancel& cancel) {
  rpc::ServiceTable table;
  session::Faults faults;
  plan::PlanFacts facts = facts_.plan;
  facts.load_layers = false;
  facts.frontend.platforms = part.share.platforms;
  facts.frontend.upload_url = services_.AddTo(table, faults);
  TRY_ASSIGN(plan::BuildPlan plan,
             plan::MakePlan(facts_.options, part.builder->features(), facts_.inputs.source, facts));
  KeepArchive(plan);
  plan.request.cache_imports = part.plan.request.cache_imports;
  std::map<int, session::ExportTarget> targets;
  targets[0] = deliver::MakeLoadTarget(facts_.engine, sink);
  const auto exported = session::AddFileSend(table, targets, faults, *part.sink);
  TRY(part.builder->Reconnect(cancel));
  TRY_ASSIGN(auto solved,
             solve::SolveAll(
                 {{part.builder, &plan.request, RandomId(), &table, &faults, part.sink}}, cancel));
  TRY(exported->CheckComplete(targets));
  for (const auto& [key, value] : solved.front().exporter_response)
    part.solved.exporter_response[key] = value;
  return {};
}

}  // namespace depot::job
