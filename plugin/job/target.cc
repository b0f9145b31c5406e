#include "plugin/job/target.h"

#include <algorithm>
#include <filesystem>

#include "driver/base/random.h"
#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/builder/instances.h"
#include "driver/oci/platform_list.h"
#include "driver/solve/fan_out.h"
#include "plugin/deliver/build_record.h"
#include "plugin/deliver/call_answer.h"
#include "plugin/deliver/tree_clearing.h"
#include "plugin/job/attestations.h"
#include "plugin/job/engine_loader.h"
#include "plugin/job/explanation.h"
#include "plugin/options/build_flags.h"
#include "plugin/plan/attached.h"

namespace depot::job {

namespace {

/// What an archive would fail on once the builder is there, and buildx at once.
Result<> CheckArchives(const options::BuildOptions& options, const Streams& streams) {
  for (const plan::Destination& place : plan::ArchivePlaces(options)) {
    if (place.kind == plan::DestinationKind::kStandardOutput) {
      if (!streams.output_is_terminal()) continue;
      return Fail(Error(ErrorCode::kUsage, "--output: an archive is not written to a terminal")
                      .WithHint("add dest=FILE, or redirect standard output"));
    }
    const std::filesystem::path folder = std::filesystem::path(place.path).parent_path();
    std::error_code error;
    if (folder.empty() || std::filesystem::exists(folder, error) || error) continue;
    return Fail(
        Error(ErrorCode::kNotFound, Cat("--output dest=", Printable(place.path),
                                        ": there is no folder ", Printable(folder.string())))
            .WithHint("a folder is made for type=local alone: mkdir -p it"));
  }
  return {};
}

}  // namespace

Target::Target(const options::BuildOptions& options, Workshop& workshop, Streams& streams)
    : options_(options),
      workshop_(workshop),
      streams_(streams),
      sboms_(options.sbom_dir),
      results_(workshop.TemporaryDirectory(), streams) {}

Result<> Target::Prepare(EventSink& sink, const Cancel& cancel) {
  TRY(CheckArchives(options_, streams_));
  if (options::WantsLoad(options_)) {
    TRY_ASSIGN(engine_, EngineToLoadInto());
  }
  workshop_.SayTo(&sink);
  auto inputs =
      ReadInputs(options_, workshop_.environment(), streams_, workshop_.http(), sink, cancel);
  workshop_.SayTo(nullptr);
  TRY_ASSIGN(inputs_, std::move(inputs));
  TRY_ASSIGN(retries_, options::WantedRetries(options_.retry, workshop_.environment()));
  standby_ = options::WantsStandby(options_.retry, workshop_.environment());
  TRY_ASSIGN(tag_rules_, options::WantedTagRules(options_.tagging, workshop_.environment()));
  TRY(caches_.Prepare(options_, workshop_.environment(), retries_));
  inputs_.stores.merge(caches_.Stores());
  TRY(deliver::CheckClearing(options_));
  TRY(sboms_.CheckDirectory());
  return results_.OpenReports(options_);
}

Result<docker::Engine*> Target::EngineToLoadInto() {
  auto engine = workshop_.Engine();
  if (!engine) return Fail(std::move(engine).error().At(FailedAt::kEngine));
  return engine;
}

FilterAgreement::Directories Target::Directories() const {
  FilterAgreement::Directories directories;
  if (!options_.call.method.empty()) return directories;
  for (const plan::LocalContext& context : plan::LocalContexts(inputs_.source))
    directories[context.local] = context.directory;
  return directories;
}

Result<Outcome> Target::Build(Job& job, EventSink& sink, const Cancel& cancel) {
  for (const std::string& notice : inputs_.notices)
    sink.Say(notice);
  for (const std::string& notice : caches_.notices())
    sink.Say(notice);
  for (const std::string& reason : inputs_.contexts.reasons)
    if (workshop_.debug()) sink.Say(reason);
  if (options_.sbom_implied) sink.Say("--sbom-dir switches --sbom on");
  const std::string warnings = TrimmedVariable(workshop_.environment(), "BUILDX_METADATA_WARNINGS");
  const bool keep = WantsMetadata() && ParseBool(warnings).value_or(false);
  Result<Outcome> outcome = BuildAndDeliver(job, keep ? warnings_.emplace(sink) : sink, cancel);
  // After a failure too nothing may work on them any more when the sink goes.
  results_.CloseTargets();
  return outcome;
}

Result<Outcome> Target::BuildAndDeliver(Job& job, EventSink& sink, const Cancel& cancel) {
  std::set<std::string> insecure = plan::InsecureRegistries(options_);
  insecure.merge(caches_.InsecureRegistries());
  auto registries = job.registries().Open(std::move(insecure));
  Preflight preflight(*registries, sink, cancel);
  CacheSources sources(*registries, cancel);
  TRY_ASSIGN(auto pushes, plan::PushTargets(options_, SaveAs(job)));
  const std::vector<Reference> cache_pushes = caches_.PushTargets();
  for (const Reference& push : pushes)
    job.registries().keyring().WillPush(push.domain, push.path);
  for (const Reference& push : cache_pushes)
    job.registries().keyring().WillPush(push.domain, push.path);
  if (!options_.no_preflight) {
    preflight.Start(pushes, cache_pushes);
    caches_.Ask(sources, inputs_.platforms);
  }
  // Everything is known that does not need a builder, and the registries are being asked.
  Services services(inputs_, job, sink);
  auto parts = AcquireAndSolve(job, services, {preflight, sources}, sink);
  preflight.Finish();
  if (!parts) {
    // What was ended by a refusal fails in words of its own.
    std::optional<Error> refusal = preflight.refusal();
    if (refusal) return Fail(*std::move(refusal));
    return Fail(
        Explain(std::move(parts).error(), options_, inputs_, job.registries().keyring(), cancel));
  }
  if (!options_.call.method.empty()) return DeliverAnswer(parts->front());
  TRY_ASSIGN(Outcome outcome, Deliver(*parts, job, *registries, sink, cancel));
  outcome.cache_failure = caches_.Write(*parts, services, sink, cancel);
  return outcome;
}

Result<std::vector<PlatformBuild>> Target::AcquireAndSolve(Job& job,
                                                           Services& services,
                                                           Questions questions,
                                                           EventSink& sink) {
  const Cancel& cancel = questions.preflight.cancel();
  TRY_ASSIGN(plan::PlanFacts facts, LookAround(job, cancel));
  auto assigned = job.crew().Assign(inputs_.platforms, job.emulation(), cancel);
  if (!assigned) return Fail(std::move(assigned).error().At(FailedAt::kNoBuilder));
  std::vector<PlatformBuild> parts = PartsOf(*std::move(assigned), sink);

  // The builders are held, and their features are known: the requests can be made.
  const bool again = caches_.WritesAfterwards() || options_.lint.wanted || facts.load_layers;
  TRY(services.Prepare(parts.size(), again, cancel));
  TRY(Plan(parts, facts, services, sink));
  TRY(caches_.AddTo(parts, questions.sources, sink));

  // Every place that results go to is open, and no registry has said no: the build may start.
  questions.preflight.Await();
  TRY(cancel.Check());
  if (options_.lint.wanted) TRY(Check(parts.front(), sink, cancel));
  TRY(Solve(parts, services, cancel));
  TRY(Load(parts, facts, services, sink, cancel));
  return parts;
}

/// Without an Engine that was asked for the build would be for nothing, so it is asked before a
/// builder. One that only the default means may be missing: most CI jobs have none.
Result<> Target::FindEngine(Job& job, plan::PlanFacts& facts, const Cancel& cancel) {
  const bool by_default = job.loads_by_default() && !job.builds_in_engine() &&
                          plan::LeavesLoadToTheDefault(options_, workshop_.environment());
  if (by_default) {
    TRY_ASSIGN(engine_, EngineToLoadInto());
  }
  if (engine_ == nullptr || job.builds_in_engine()) return {};
  Result<docker::EngineInfo> info = engine_->Info(cancel);
  if (by_default && !info && !cancel.cancelled()) {
    engine_ = nullptr;
    not_loaded_ =
        Cat("nothing is loaded: ", info.error().message(),
            "; the result stays in the builder's cache, and --push sends it to a registry");
    facts.not_loaded = not_loaded_;
    return {};
  }
  if (!info) return Fail(std::move(info).error().At(FailedAt::kEngine));
  facts.default_load = by_default;
  engine_info_ = *std::move(info);
  facts.engine_containerd_store = engine_info_.containerd_store;
  facts.load_layers = true;
  return {};
}

Result<> Target::Load(std::vector<PlatformBuild>& parts,
                      const plan::PlanFacts& facts,
                      Services& services,
                      EventSink& sink,
                      const Cancel& cancel) {
  if (!facts.load_layers) return {};
  EngineLoader loader(
      {*engine_, engine_info_, options_, workshop_, streams_, inputs_, facts, retries_}, services);
  return loader.Load(parts, sink, cancel);
}

/// Of a bake not all targets need be saved.
std::vector<std::string> Target::SaveAs(const Job& job) const {
  return options_.save ? job.SaveAs(linkage_.name) : std::vector<std::string>();
}

Result<plan::PlanFacts> Target::LookAround(Job& job, const Cancel& cancel) {
  const DockerSetup& docker = workshop_.docker();
  plan::PlanFacts facts;
  facts.frontend.environment = workshop_.environment();
  facts.frontend.proxies = docker.credentials.config.proxies;
  // CI jobs that build elsewhere often still carry the settings of an Engine that is not there.
  if (docker.engine) facts.frontend.engine_host = docker.engine->host;
  facts.frontend.node_id = job.node_id();
  facts.source_policy = inputs_.source_policy;
  facts.save_as = SaveAs(job);
  facts.vcs = inputs_.vcs;
  facts.dated = inputs_.contexts.dated;
  facts.dockerfile = inputs_.dockerfile;
  facts.explain = workshop_.debug();
  TRY(FindEngine(job, facts, cancel));
  return facts;
}

Result<> Target::Plan(std::vector<PlatformBuild>& parts,
                      plan::PlanFacts facts,
                      Services& services,
                      EventSink& sink) {
  facts.several_builders = parts.size() > 1;
  // All builders of an image do the same.
  facts.load_layers &= std::all_of(parts.begin(), parts.end(), [](const PlatformBuild& part) {
    return part.builder->features().attestations && !part.builder->features().engine_store;
  });
  for (std::size_t i = 0; i < parts.size(); ++i) {
    PlatformBuild& part = parts[i];
    facts.frontend.platforms = part.share.platforms;
    session::OfferedStores own;
    if (facts.load_layers) own["export"] = {part.described, true};
    facts.frontend.upload_url = services.AddTo(part.services, part.faults, std::move(own));
    services.AddStandby(part.standby, part.faults);
    TRY_ASSIGN(part.plan,
               plan::MakePlan(options_, part.builder->features(), inputs_.source, facts));
    TRY(results_.OpenTargets(part.plan, part.share.platforms, engine_, sink));
    sboms_.Prepare(part.plan, results_.targets(i));
  }
  for (const std::string& warning : parts.front().plan.warnings)
    sink.Say(Cat("WARNING: ", warning));
  return {};
}

/// --lint: what the frontend finds wrong, said before a step runs.
Result<> Target::Check(PlatformBuild& part, EventSink& sink, const Cancel& cancel) {
  const options::FrontendCall call{"lint", false, true};
  const bool may_fail = options_.lint.fails_on != options::LintFailure::kNone;
  solve::BuildRequest request = part.plan.request;
  request.call = call.method;
  request.exporters.clear();
  std::erase_if(request.frontend_attrs,
                [](const auto& attr) { return attr.first.starts_with("attest:"); });
  auto solved = solve::SolveAll(
      {{part.builder, &request, RandomId(), &part.services, &part.faults, part.sink, "", retries_}},
      cancel);
  if (!solved) {
    if (may_fail || cancel.cancelled()) return Fail(std::move(solved).error().While("--lint"));
    sink.Say(Cat("WARNING: --lint: ", solved.error().message()));
    return {};
  }
  TRY_ASSIGN(const deliver::CallAnswer answer,
             deliver::ShowAnswer(call, solved->front().answer, ""));
  for (std::string_view line : Split(answer.text, '\n'))
    if (!line.empty()) sink.Say(Cat("lint: ", line));
  const bool warned =
      answer.warnings > 0 && options_.lint.fails_on == options::LintFailure::kWarning;
  if (!may_fail || (!answer.failure && !warned)) return {};
  if (answer.failure) return Fail(Error(*answer.failure).While("--lint"));
  return Fail(Error(ErrorCode::kFailed, "linting failed: the check found warnings")
                  .WithHint("--lint-fail-on=error builds all the same"));
}

/// A call has no result but its answer.
Result<Outcome> Target::DeliverAnswer(const PlatformBuild& part) {
  Outcome outcome{"", "", part.solved.exporter_response, "", {}, part.solved.answer};
  deliver::ExporterResponse reported = outcome.response;
  reported.insert(outcome.answer.begin(), outcome.answer.end());
  TRY(results_.Commit(reported, "", deliver::ImageIdKind::kManifest));
  return outcome;
}

Result<> Target::Solve(std::vector<PlatformBuild>& parts,
                       Services& services,
                       const Cancel& cancel) {
  TRY(Link(linkage_, inputs_.source, parts, cancel));
  for (std::size_t i = 0; i < parts.size(); ++i) {
    PlatformBuild& part = parts[i];
    part.exported =
        session::AddFileSend(part.services, results_.targets(i), part.faults, *part.sink);
  }
  auto solved = solve::SolveAll(SolvesOf(parts, services), cancel);
  if (!solved && !cancel.cancelled() && MaySendAnew(parts, services)) {
    parts.front().sink->Say(
        Cat("WARNING: ", solved.error().message(), ": the context is sent anew"));
    for (PlatformBuild& part : parts) {
      part.plan.request.local_sessions.clear();
      TRY(part.builder->Reconnect(cancel));
    }
    solved = solve::SolveAll(SolvesOf(parts, services), cancel);
  }
  for (PlatformBuild& part : parts) {
    part.plan.request.on_result = nullptr;
    // What solves the same once more, for a cache, has a session of its own.
    part.plan.request.linger = nullptr;
    part.plan.request.session.clear();
    part.plan.request.local_sessions.clear();
    part.loan.reset();
  }
  if (!solved) return Fail(std::move(solved).error());
  for (std::size_t i = 0; i < parts.size(); ++i) {
    TRY(parts[i].exported->CheckComplete(results_.targets(i)));
    parts[i].solved = std::move((*solved)[i]);
  }
  return {};
}

std::vector<solve::Solving> Target::SolvesOf(std::vector<PlatformBuild>& parts,
                                             Services& services) {
  std::vector<solve::Solving> solves;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    PlatformBuild& part = parts[i];
    solve::Solving& one = solves.emplace_back();
    one = {part.builder,
           &part.plan.request,
           RandomId(),
           &part.services,
           &part.faults,
           part.sink,
           FormatPlatforms(part.share.platforms, ", "),
           retries_};
    if (standby_) one.standby = &part.standby;
    for (const auto& [name, tree] : inputs_.trees)
      one.locals.push_back(name);
    one.start_over = [this, &part, &services, i](const std::string& ref) -> Result<> {
      TRY(StartOver(part, i, services));
      Record(part, ref);
      return {};
    };
    one.delivered = [this, &part, i] {
      return part.exported->CheckComplete(results_.targets(i)).has_value();
    };
    Record(part, one.ref);
  }
  return solves;
}

Result<> Target::StartOver(PlatformBuild& part, std::size_t index, Services& services) {
  TRY(services.StartOver());
  TRY(results_.StartOver(index));
  part.exported->StartOver();
  return {};
}

/// The builder had to throw away what it had of a context, since a file changed on its way; nothing
/// is wrong with the build.
bool Target::MaySendAnew(std::vector<PlatformBuild>& parts, Services& services) {
  const auto& tally = inputs_.contexts.tally;
  if (!tally || !tally->distrusted) return false;
  for (std::size_t i = 0; i < parts.size(); ++i)
    if (parts[i].faults.first() || !StartOver(parts[i], i, services)) return false;
  return true;
}

/// The builder has a record of the build, also when it fails, and docker buildx shows it.
void Target::Record(const PlatformBuild& part, const std::string& ref) {
  if (!part.builder->features().history || !options_.call.method.empty()) return;
  const Environment& environment = workshop_.environment();
  const std::string& config = workshop_.docker().credentials.config.directory;
  deliver::WriteBuildRecord(builder::BuildxFolder(environment, config),
                            {part.buildx.builder, part.buildx.node, ref}, options_, environment);
}

bool Target::WantsMetadata() const {
  return !options_.metadata_file.empty() || options_.metadata_wanted;
}

/// What the metadata file says beside the builders' own answers.
deliver::ExporterResponse Target::Metadata(const std::vector<PlatformBuild>& parts,
                                           const Job& job,
                                           EventSink& sink,
                                           const Cancel& cancel) {
  if (!WantsMetadata()) return {};
  const std::string mode = Variable(workshop_.environment(), "BUILDX_METADATA_PROVENANCE");
  deliver::ExporterResponse values =
      CollectProvenance(parts, deliver::ParseProvenanceMode(mode), sink, cancel);
  const std::string warnings = warnings_ ? warnings_->Value() : "";
  if (!warnings.empty()) values["buildx.build.warnings"] = warnings;
  const std::string build = job.depot_build();
  if (!build.empty()) values["depot.build"] = build;
  return values;
}

Result<Outcome> Target::Deliver(const std::vector<PlatformBuild>& parts,
                                Job& job,
                                registry::Registries& registries,
                                EventSink& sink,
                                const Cancel& cancel) {
  TRY(CollectSboms(sboms_, parts, registries, sink, cancel));
  deliver::ExporterResponse metadata = Metadata(parts, job, sink, cancel);

  // The builders are done; what is left happens on this machine, in the Engine and in registries.
  bool alone = parts.size() == 1;
  if (alone) results_.CloseTargets();
  const ImagePush push{inputs_.platforms, tag_rules_, registries};
  TRY_ASSIGN(Delivered delivered, alone ? FinishAlone(parts, push, job, sink, cancel)
                                        : JoinPlatforms(parts, push, results_, sink, cancel));
  delivered.response.merge(metadata);
  TRY_ASSIGN(std::vector<std::string> sboms, sboms_.Write(linkage_.several ? linkage_.name : ""));
  for (const std::string& path : sboms)
    sink.Say(Cat("wrote ", path));
  const PlatformBuild& first = parts.front();
  const std::string provenance = plan::DescribeProvenance(options_, first.plan);
  if (!provenance.empty()) sink.Say(provenance);
  const std::string ref =
      deliver::BuildRefOf({first.buildx.builder, first.buildx.node, first.solved.ref});
  Outcome outcome{"", ref, std::move(delivered.response), not_loaded_, {}, {}};
  TRY_ASSIGN(outcome.image_id, results_.Commit(outcome.response, outcome.ref, delivered.id_kind));
  return outcome;
}

}  // namespace depot::job
