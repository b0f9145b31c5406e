#include "plugin/build_command.h"

#include <algorithm>
#include <set>

#include <unistd.h>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/builder/engine_tunnel.h"
#include "driver/depot/hosted_build.h"
#include "driver/docker/engine.h"
#include "driver/event/step.h"
#include "driver/oci/reference.h"
#include "driver/registry/push_index.h"
#include "driver/solve/fan_out.h"
#include "plugin/account_commands.h"
#include "plugin/acquire.h"
#include "plugin/attestations.h"
#include "plugin/deliver/join_platforms.h"
#include "plugin/docker_setup.h"
#include "plugin/http_client.h"
#include "plugin/options/build_flags.h"
#include "plugin/patient_client.h"
#include "plugin/plan/description.h"
#include "plugin/plan/plan.h"
#include "plugin/plan/source_files.h"
#include "plugin/preflight.h"
#include "plugin/progress/display.h"
#include "plugin/results.h"

namespace depot {
namespace {

DisplayOptions ChooseDisplay(const options::BuildOptions& options, bool debug) {
  bool quiet = options.quiet || options.progress == options::ProgressMode::kQuiet;
  return {quiet ? DisplayMode::kQuiet : DisplayMode::kPlain, debug};
}

/// Where parts of archives wait for each other: /tmp is often small, or memory.
std::string TemporaryDirectory(const Environment& environment) {
  std::string said = Variable(environment, "TMPDIR");
  if (!said.empty()) return said;
  return ::access("/var/tmp", W_OK) == 0 ? "/var/tmp" : "/tmp";
}

/// One build: what is known before the builders are asked, and what is made of it afterwards.
class Build {
 public:
  Build(const options::BuildOptions& options,
        const options::Invocation& invocation,
        const Environment& environment,
        Terminal& terminal,
        const Cancel& cancel)
      : options_(options),
        invocation_(invocation),
        environment_(environment),
        terminal_(terminal),
        cancel_(cancel),
        http_(std::make_unique<PatientClient>(MakeHttpClient(environment))),
        sboms_(options.sbom_dir),
        results_(TemporaryDirectory(environment)) {}

  /// Whatever is wrong on the user's own machine ends the run here, before anything is connected.
  Result<> Prepare() {
    TRY_ASSIGN(setup_, ReadDockerSetup(invocation_.globals, environment_));
    TRY_ASSIGN(bool in_engine, ChoosesEngine(options_, environment_));
    // CI jobs that build elsewhere often still carry the settings of an Engine that is not there.
    bool needs_engine = in_engine || options::WantsLoad(options_);
    if (!needs_engine && !setup_.engine) setup_.engine = docker::EngineEndpoint();
    TRY(setup_.engine);
    TRY_ASSIGN(wanted_, plan::WantedPlatforms(options_, environment_));
    TRY_ASSIGN(secrets_, plan::PlanSecrets(options_, environment_));
    TRY(session::CheckSecrets(secrets_));
    TRY_ASSIGN(plan::SourceFacts facts, plan::InspectSource(options_, STDIN_FILENO, cancel_));
    TRY_ASSIGN(source_, plan::DecideSource(options_, facts));
    TRY_ASSIGN(trees_, plan::OpenTrees(source_));
    ChoiceFacts choice{
        options_, environment_, *setup_.engine, setup_.credentials.config.directory, {}};
    if (SomebodyIsThere()) {
      choice.log_in = [this] { return LogIn(environment_, terminal_, cancel_); };
    }
    TRY_ASSIGN(choice_, ChooseBuilder(choice, *http_, cancel_));
    if (options_.save && !choice_.hosted) {
      return Fail(Error(ErrorCode::kUsage, "--save: only the Depot API keeps images")
                      .WithHint("give a token (DEPOT_TOKEN), or use --push"));
    }
    if (needs_engine) {
      TRY_ASSIGN(tunnel_,
                 builder::OpenEngineTunnel(*setup_.engine, TemporaryDirectory(environment_)));
      TRY_ASSIGN(engine_, docker::MakeEngine(*http_, *setup_.engine));
    }
    TRY(sboms_.CheckDirectory());
    return results_.OpenReports(options_, terminal_);
  }

  Result<> Run(EventSink& sink) {
    http_->SayTo(&sink);
    sink.Say(choice_.line);
    for (const std::string& warning : choice_.warnings)
      sink.Say(Cat("WARNING: ", warning));
    if (options_.sbom_implied) sink.Say("--sbom-dir switches --sbom on");
    if (!choice_.hosted) return BuildOn(choice_.sites, sink);

    const HostedChoice& hosted = *choice_.hosted;
    TRY_ASSIGN(api_, api::MakeApi(*http_, hosted.api_url,
                                  [&sink](std::string line) { sink.Say(std::move(line)); }));
    TRY_ASSIGN(hosted_, api::StartHostedBuild(*api_, hosted.token,
                                              plan::DescribeBuild(options_, hosted.project.id),
                                              hosted.existing_build, sink, cancel_));
    if (const std::string& page = hosted_->created().url; !page.empty()) {
      sink.Say(Cat("the build's page: ", page));
    }
    // From here on the API knows of the build, and is told how it ended, whatever happens.
    std::shared_ptr<builder::Driver> driver(&hosted_->driver(), [](builder::Driver*) {});
    Result<> built = BuildOn(HostedSites(driver, options_.build_platform), sink);
    Result<> told = hosted_->Finish(built ? nullptr : &built.error());
    if (!told) sink.Say(Cat("WARNING: ", told.error().message()));
    hosted_.reset();
    return built;
  }

 private:
  /// A CI may give its jobs a terminal, but nobody sits at it.
  bool SomebodyIsThere() const {
    return terminal_.output_is_terminal() && terminal_.error_is_terminal() &&
           Variable(environment_, "CI").empty();
  }

  Result<> BuildOn(const std::vector<Site>& sites, EventSink& sink) {
    Result<> built = BuildAndDeliver(sites, sink);
    // After a failure too nothing may work on them any more when the sink goes.
    results_.CloseTargets();
    return built;
  }

  /// What the builders have made of the plans, and the builders, which know more about it.
  struct Made {
    std::vector<Held> held;
    std::vector<plan::BuildPlan> plans;
    std::vector<solve::BuildResult> solved;
  };

  Result<> BuildAndDeliver(const std::vector<Site>& sites, EventSink& sink) {
    auto say = [&sink](std::string line) { sink.Say(std::move(line)); };
    docker::CredentialPlaces places = setup_.credentials;
    places.hosted = HostedCredentials();
    auto credentials =
        docker::MakeCredentialStore(std::move(places), Variable(environment_, "PATH"), say);
    registry::Keyring keyring(*credentials, say);
    auto registries = OpenRegistries(keyring, sink);
    Preflight preflight(*registries, sink, cancel_);
    TRY_ASSIGN(auto targets, plan::PushTargets(options_, SaveNames()));
    for (const Reference& target : targets)
      keyring.WillPush(target.domain, target.path);
    if (!options_.no_preflight) preflight.Start(targets);

    // Everything is known that does not need a builder, and the registries are being asked.
    Result<Made> made = Make(sites, keyring, sink, preflight);
    preflight.Finish();
    if (!made) {
      // What was ended by a refusal fails in words of its own.
      std::optional<Error> refusal = preflight.refusal();
      return Fail(refusal ? *std::move(refusal) : std::move(made).error());
    }
    return Deliver(*made, keyring, *registries, sink);
  }

  Result<Made> Make(const std::vector<Site>& sites,
                    registry::Keyring& keyring,
                    EventSink& sink,
                    Preflight& preflight) {
    const Cancel& cancel = preflight.cancel();
    plan::PlanFacts facts = Facts();
    // Without an Engine to load into the build would be for nothing, so it is asked first.
    if (options::WantsLoad(options_) && !choice_.engine) {
      TRY_ASSIGN(docker::EngineInfo info, engine_->Info(cancel));
      facts.engine_containerd_store = info.containerd_store;
    }
    bool emulate = options_.emulate || options_.build_platform.has_value();
    Made made;
    TRY_ASSIGN(made.held, AcquireBuilders(sites, wanted_, emulate, sink, cancel));

    // From here on the builders are held, and their features are known: the requests can be made.
    facts.several_builders = made.held.size() > 1;
    for (const Held& one : made.held) {
      facts.frontend.platforms = one.share.platforms;
      TRY_ASSIGN(plan::BuildPlan plan,
                 plan::MakePlan(options_, one.builder->features(), source_, facts));
      TRY(results_.OpenTargets(plan, one.share.platforms, engine_.get(), sink, terminal_));
      sboms_.Prepare(plan.request, results_.targets(made.plans.size()));
      made.plans.push_back(std::move(plan));
    }
    for (const std::string& warning : made.plans.front().warnings)
      sink.Say(Cat("WARNING: ", warning));

    // Every place that results go to is open, and no registry has said no: the build may start.
    preflight.Await();
    TRY(cancel.Check());
    TRY_ASSIGN(made.solved, SolveEverywhere(made.held, made.plans, keyring, sink, cancel));
    return made;
  }

  Result<> Deliver(const Made& made,
                   registry::Keyring& keyring,
                   registry::Registries& registries,
                   EventSink& sink) {
    const auto& [held, plans, solved] = made;
    TRY(CollectSboms(sboms_, held, solved, registries, sink, cancel_));
    deliver::ExporterResponse provenance;
    if (!options_.metadata_file.empty()) {
      auto mode =
          deliver::ParseProvenanceMode(Variable(environment_, "BUILDX_METADATA_PROVENANCE"));
      provenance = CollectProvenance(held, solved, mode, sink, cancel_);
    }

    // The builders are done; what is left happens on this machine, in the Engine and in registries.
    if (held.size() > 1) {
      TRY_ASSIGN(auto response, JoinPlatforms(held, plans, solved, registries, sink));
      response.merge(provenance);
      return Commit(response, solved.front().ref, deliver::ImageIdKind::kManifest, sink);
    }
    results_.CloseTargets();
    deliver::ExporterResponse response = solved.front().exporter_response;
    TRY(EnginePushes(plans.front().engine_pushes, keyring, response, sink));
    response.merge(provenance);
    return Commit(response, solved.front().ref, IdKind(*held.front().builder, plans.front()), sink);
  }

  Result<> Commit(const deliver::ExporterResponse& response,
                  const std::string& ref,
                  deliver::ImageIdKind id_kind,
                  EventSink& sink) {
    TRY_ASSIGN(std::vector<std::string> sboms, sboms_.Write());
    for (const std::string& path : sboms)
      sink.Say(Cat("wrote ", path));
    return results_.Commit(response, ref, id_kind, options_, terminal_);
  }

  std::unique_ptr<registry::Registries> OpenRegistries(registry::Keyring& keyring,
                                                       EventSink& sink) {
    registry::RegistryOptions options;
    options.insecure = InsecureRegistries();
    options.say = [&sink](std::string line) { sink.Say(std::move(line)); };
    return registry::MakeRegistries(*http_, keyring, std::move(options));
  }

  /// Every platform is there: now, and not earlier, they become one image.
  Result<deliver::ExporterResponse> JoinPlatforms(const std::vector<Held>& held,
                                                  const std::vector<plan::BuildPlan>& plans,
                                                  const std::vector<solve::BuildResult>& solved,
                                                  registry::Registries& registries,
                                                  EventSink& sink) {
    std::vector<deliver::PlatformResult> results;
    registry::IndexPush push;
    for (std::size_t i = 0; i < held.size(); ++i) {
      results.push_back({held[i].share.platforms, solved[i].exporter_response});
    }
    push.annotations = deliver::IndexAnnotationsOf(options_.annotations);
    TRY_ASSIGN(std::string digest, results_.JoinParts(push.annotations, cancel_));
    results_.CloseTargets();
    const std::vector<std::string>& names = plans.front().index_names;
    if (names.empty()) return deliver::JoinResponses(results, digest, names);
    TRY_ASSIGN(push.pushed, deliver::DescriptorsOf(results));
    push.platforms = wanted_;
    for (const std::string& name : names) {
      TRY_ASSIGN(Reference reference, ParseReference(name));
      push.names.push_back(std::move(reference));
    }
    Step step(sink, Cat("pushing the image index of ", held.size(), " builders"));
    auto log = [&step](std::string line) { step.Log(std::move(line)); };
    TRY_ASSIGN(auto index, step.Finish(registry::PushIndex(registries, push, log, cancel_)));
    return deliver::JoinResponses(results, index.digest, names);
  }

  /// The registries of images that are pushed with registry.insecure=true.
  std::set<std::string> InsecureRegistries() const {
    std::set<std::string> insecure;
    for (const options::Output& output : options_.outputs) {
      auto said = output.attrs.find("registry.insecure");
      if (said == output.attrs.end() || !ParseBool(said->second).value_or(false)) continue;
      std::vector<std::string> names = options_.tags;
      if (auto name = output.attrs.find("name"); name != output.attrs.end()) {
        for (std::string_view part : Split(name->second, ','))
          names.emplace_back(Trim(part));
      }
      for (const std::string& name : names) {
        if (auto reference = ParseReference(name)) insecure.insert(LowerAscii(reference->domain));
      }
    }
    return insecure;
  }

  plan::PlanFacts Facts() const {
    plan::PlanFacts facts;
    facts.frontend.environment = environment_;
    facts.frontend.proxies = setup_.credentials.config.proxies;
    facts.frontend.engine_host = setup_.engine->host;
    facts.stdout_is_terminal = terminal_.output_is_terminal();
    facts.node_id = choice_.node_id;
    facts.save_as = SaveNames();
    return facts;
  }

  std::vector<std::string> SaveNames() const {
    std::vector<std::string> names;
    if (!hosted_ || !options_.save) return names;
    for (const api::AdditionalTag& tag : hosted_->created().tags)
      names.push_back(tag.name);
    return names;
  }

  docker::HostCredentials HostedCredentials() const {
    docker::HostCredentials credentials;
    if (!hosted_ || !options_.save) return credentials;
    for (const api::RegistryCredential& one : hosted_->created().credentials) {
      registry::Credential credential;
      credential.username = one.username;
      credential.password = one.password;
      credential.source = "the Depot API";
      credentials.emplace_back(one.host, std::move(credential));
    }
    return credentials;
  }

  Result<std::vector<solve::BuildResult>> SolveEverywhere(std::vector<Held>& held,
                                                          std::vector<plan::BuildPlan>& plans,
                                                          registry::Keyring& keyring,
                                                          EventSink& sink,
                                                          const Cancel& cancel) {
    auto auth = session::MakeAuth(keyring, *http_, sink);
    auto secrets = session::MakeSecrets(secrets_, sink);
    std::vector<session::Faults> faults(held.size());
    std::vector<rpc::ServiceTable> services(held.size());
    std::vector<std::shared_ptr<const session::ExportLog>> exported;
    std::vector<solve::Solving> solves;
    TRY_ASSIGN(Fd stored_context, StoreContext(held.size(), sink, cancel));
    if (held.size() > 1) CompareTrees(sink);
    for (std::size_t i = 0; i < held.size(); ++i) {
      session::AddHealth(services[i]);
      session::AddFileSync(services[i], trees_, faults[i], sink);
      session::AddAuth(services[i], auth);
      session::AddSecrets(services[i], secrets);
      if (source_.upload) {
        plans[i].request.frontend_attrs["context"] =
            stored_context.valid()
                ? session::AddStoredUpload(services[i], stored_context.get(), faults[i])
                : session::AddUpload(services[i], source_.already_read, STDIN_FILENO, faults[i]);
      }
      exported.push_back(
          session::AddFileSend(services[i], results_.targets(i), faults[i], *held[i].sink));
      solves.push_back(
          {held[i].builder.get(), &plans[i].request, &services[i], &faults[i], held[i].sink});
    }
    TRY_ASSIGN(auto solved, solve::SolveAll(solves, cancel));
    for (std::size_t i = 0; i < held.size(); ++i)
      TRY(exported[i]->CheckComplete(results_.targets(i)));
    return solved;
  }

  /// Each builder reads the files by itself: a difference between the platforms must not be silent.
  void CompareTrees(EventSink& sink) {
    for (auto& [name, tree] : trees_) {
      auto changed = [&sink](const std::string& path) {
        sink.Say(Cat("WARNING: ", Printable(path),
                     " changed during the build: the platforms may differ in it"));
      };
      tree = files::MakeComparedTree(std::move(tree), changed);
    }
  }

  /// A context on standard input can be read once only, and each of several builders wants it.
  Result<Fd> StoreContext(std::size_t builders, EventSink& sink, const Cancel& cancel) {
    if (!source_.upload || builders == 1) return Fd();
    Step step(sink, "reading the context from standard input");
    return step.Finish(session::StoreUpload(source_.already_read, STDIN_FILENO,
                                            TemporaryDirectory(environment_), cancel));
  }

  /// An Engine with the classic store has no pushing BuildKit: it pushes by itself afterwards.
  Result<> EnginePushes(const std::vector<std::string>& names,
                        registry::Keyring& keyring,
                        deliver::ExporterResponse& response,
                        EventSink& sink) {
    for (const std::string& name : names) {
      TRY_ASSIGN(Reference reference, ParseReference(name));
      TRY_ASSIGN(std::string digest, EnginePush(name, reference, keyring, sink));
      response.emplace("containerimage.config.digest", response["containerimage.digest"]);
      response["containerimage.digest"] = digest;
    }
    return {};
  }

  Result<std::string> EnginePush(const std::string& name,
                                 const Reference& reference,
                                 registry::Keyring& keyring,
                                 EventSink& sink) {
    registry::Need need{reference.domain, reference.path, true};
    registry::Attempt attempt = keyring.Good(need).value_or(registry::Attempt());
    std::optional<Error> refusal;
    for (;;) {
      TRY_ASSIGN(auto credential, keyring.Next(need, attempt, cancel_));
      if (!credential && refusal) return Fail(std::move(*refusal));
      Result<std::string> digest = engine_->Push(name, credential, sink, cancel_);
      if (digest) keyring.Accepted(need, attempt, true);
      if (digest || digest.error().code() != ErrorCode::kDenied || !credential) return digest;
      refusal = std::move(digest).error().While(
          Cat("with the credentials of ", registry::SourcesOf(attempt)));
    }
  }

  static deliver::ImageIdKind IdKind(const builder::Builder& builder, const plan::BuildPlan& plan) {
    bool classic_store = builder.features().engine_store && !builder.features().all_exporters;
    const auto& exporters = plan.request.exporters;
    bool docker_archive = std::any_of(exporters.begin(), exporters.end(),
                                      [](const solve::Exporter& e) { return e.type == "docker"; });
    bool config = (classic_store && plan.engine_pushes.empty()) || docker_archive;
    return config ? deliver::ImageIdKind::kConfig : deliver::ImageIdKind::kManifest;
  }

  const options::BuildOptions& options_;
  const options::Invocation& invocation_;
  const Environment& environment_;
  Terminal& terminal_;
  const Cancel& cancel_;
  std::unique_ptr<PatientClient> http_;
  DockerSetup setup_;
  std::vector<Platform> wanted_;
  std::vector<session::SecretSpec> secrets_;
  plan::Source source_;
  std::map<std::string, std::unique_ptr<files::FileTree>> trees_;
  BuilderChoice choice_;
  std::unique_ptr<api::Api> api_;
  std::unique_ptr<api::HostedBuild> hosted_;
  std::unique_ptr<builder::EngineTunnel> tunnel_;
  std::unique_ptr<docker::Engine> engine_;
  deliver::Sboms sboms_;  // the targets in results_ send to it
  Results results_;
};

}  // namespace

Result<> RunBuild(const options::Invocation& invocation,
                  const Environment& environment,
                  Terminal& terminal,
                  const Cancel& cancel) {
  TRY_ASSIGN(auto options, options::ParseBuildFlags(invocation.arguments, invocation.program));
  if (!options) return terminal.WriteResult(options::BuildHelp(invocation.program), cancel);

  Build build(*options, invocation, environment, terminal, cancel);
  TRY(build.Prepare());

  auto display = MakeDisplay(ChooseDisplay(*options, invocation.globals.debug), terminal);
  Result<> result = build.Run(*display);
  display->Finish(result ? nullptr : &result.error());
  return result;
}

}  // namespace depot
