#include "plugin/build_command.h"

#include <algorithm>

#include <unistd.h>

#include "driver/base/text.h"
#include "driver/build/solve.h"
#include "driver/docker/credential_store.h"
#include "driver/oci/reference.h"
#include "plugin/choose_builder.h"
#include "plugin/options/build_flags.h"
#include "plugin/plan/plan.h"
#include "plugin/plan/source_files.h"
#include "plugin/progress/display.h"
#include "plugin/results.h"

namespace depot {
namespace {

constexpr std::chrono::seconds kHttpConnectTimeout(20);

/// Everything about the user's Docker installation that a build reads.
struct DockerSetup {
  docker::ConfigFile config;
  Result<docker::EngineEndpoint> engine = docker::EngineEndpoint();  ///< not every build needs it
  std::map<std::string, docker::AuthEntry> environment_auths;
  docker::AuthOrder auth_order;
};

Result<DockerSetup> ReadDockerSetup(const options::GlobalFlags& flags,
                                    const options::Environment& environment) {
  std::string directory =
      flags.config.empty() ? options::Variable(environment, "DOCKER_CONFIG") : flags.config;
  if (directory.empty()) directory = options::Variable(environment, "HOME") + "/.docker";
  DockerSetup setup;
  TRY_ASSIGN(setup.config, docker::ReadConfigFile(directory));
  if (std::string json = options::Variable(environment, "DOCKER_AUTH_CONFIG"); !json.empty()) {
    TRY_ASSIGN(setup.environment_auths, docker::ParseAuthConfig(json));
  }
  TRY_ASSIGN(setup.auth_order,
             docker::ChooseAuthOrder(options::Variable(environment, "DOCKER_AUTH_ORDER"),
                                     !options::Variable(environment, "GITLAB_CI").empty()));
  docker::EngineFlags engine{flags.context, flags.host,     flags.tls,    flags.tls_verify,
                             flags.tls_ca,  flags.tls_cert, flags.tls_key};
  setup.engine = docker::ResolveEngine(engine, environment, setup.config);
  return setup;
}

DisplayOptions ChooseDisplay(const options::BuildOptions& options, bool debug) {
  bool quiet = options.quiet || options.progress == options::ProgressMode::kQuiet;
  return {quiet ? DisplayMode::kQuiet : DisplayMode::kPlain, debug};
}

/// One build: what is known before the builder is asked, and what is made of it afterwards.
class Build {
 public:
  Build(const options::BuildOptions& options,
        const options::Invocation& invocation,
        const options::Environment& environment,
        Terminal& terminal,
        const Cancel& cancel)
      : options_(options),
        invocation_(invocation),
        environment_(environment),
        terminal_(terminal),
        cancel_(cancel),
        http_(http::MakeCurlClient(
            "docker-depot/" DEPOT_VERSION,
            kHttpConnectTimeout,
            FindSystemRoots(options::Variable(environment, "SSL_CERT_FILE"),
                            options::Variable(environment, "SSL_CERT_DIR")))) {}

  /// Whatever is wrong on the user's own machine ends the run here, before anything is connected.
  Result<> Prepare() {
    TRY_ASSIGN(setup_, ReadDockerSetup(invocation_.globals, environment_));
    // CI jobs that build elsewhere often still carry the settings of an Engine that is not there.
    bool needs_engine = BuildsInEngine() || options::WantsLoad(options_);
    if (!needs_engine && !setup_.engine) setup_.engine = docker::EngineEndpoint();
    TRY(setup_.engine);
    TRY_ASSIGN(secrets_, plan::PlanSecrets(options_, environment_));
    TRY(session::CheckSecrets(secrets_));
    TRY_ASSIGN(plan::SourceFacts facts, plan::InspectSource(options_, STDIN_FILENO, cancel_));
    TRY_ASSIGN(source_, plan::DecideSource(options_, facts));
    TRY_ASSIGN(trees_, plan::OpenTrees(source_));
    TRY_ASSIGN(choice_, ChooseBuilder(options_.builder, options_.context, environment_,
                                      *setup_.engine, setup_.config.directory));
    if (needs_engine) {
      TRY_ASSIGN(engine_, docker::MakeEngine(*http_, *setup_.engine));
    }
    return results_.OpenReports(options_, terminal_);
  }

  Result<> Run(EventSink& sink) {
    sink.Say(choice_.line);
    plan::PlanFacts facts = Facts();
    // Without an Engine to load into the build would be for nothing, so it is asked first.
    if (options::WantsLoad(options_) && !BuildsInEngine()) {
      TRY_ASSIGN(docker::EngineInfo info, engine_->Info(cancel_));
      facts.engine_containerd_store = info.containerd_store;
    }
    TRY_ASSIGN(auto builder, choice_.driver->Acquire(options_.platform, sink, cancel_));

    // From here on the builder is held, and its features are known: the request can be made.
    TRY_ASSIGN(plan::BuildPlan plan, plan::MakePlan(options_, builder->features(), source_, facts));
    for (const std::string& warning : plan.warnings)
      sink.Say(Cat("WARNING: ", warning));
    TRY(results_.OpenTargets(plan.destinations, engine_.get(), sink, terminal_));

    // Every place that results go to is open: the build may start.
    auto credentials =
        docker::MakeCredentialStore(setup_.config, setup_.environment_auths, setup_.auth_order,
                                    options::Variable(environment_, "PATH"),
                                    [&sink](std::string line) { sink.Say(std::move(line)); });
    rpc::ServiceTable services;
    auto export_log = AddServices(services, plan, *credentials, sink);
    auto solved = build::Solve(*builder, plan.request, services, sink, cancel_);
    Result<> received = export_log->CheckComplete(results_.targets());
    results_.CloseTargets();
    if (!solved) return Fail(WhyItFailed(std::move(solved).error(), *export_log));
    TRY(std::move(received));

    // The builder is done; what is left happens on this machine and in the Engine.
    TRY(EnginePushes(plan.engine_pushes, *credentials, solved->exporter_response, sink));
    return results_.Commit(solved->exporter_response, solved->ref, IdKind(*builder, plan), options_,
                           terminal_);
  }

 private:
  bool BuildsInEngine() const {
    return options_.builder.empty() && options::Variable(environment_, "DEPOT_BUILDER").empty();
  }

  plan::PlanFacts Facts() const {
    plan::PlanFacts facts;
    facts.frontend.environment = environment_;
    facts.frontend.proxies = setup_.config.proxies;
    facts.frontend.engine_host = setup_.engine->host;
    facts.stdout_is_terminal = terminal_.output_is_terminal();
    facts.node_id = choice_.node_id;
    return facts;
  }

  std::shared_ptr<const session::ExportLog> AddServices(rpc::ServiceTable& services,
                                                        plan::BuildPlan& plan,
                                                        registry::CredentialSource& credentials,
                                                        EventSink& sink) {
    session::AddHealth(services);
    session::AddFileSync(services, trees_, sink);
    session::AddAuth(services, credentials, *http_, sink);
    session::AddSecrets(services, secrets_, sink);
    if (source_.upload) {
      plan.request.frontend_attrs["context"] =
          session::AddUpload(services, source_.already_read, STDIN_FILENO);
    }
    return session::AddFileSend(services, results_.targets(), sink);
  }

  /// When our own side of an export failed, the builder only says that something did.
  Error WhyItFailed(Error error, const session::ExportLog& export_log) const {
    std::optional<Error> ours = export_log.first_error();
    return ours && !cancel_.cancelled() ? *ours : std::move(error);
  }

  /// An Engine with the classic store has no pushing BuildKit: it pushes by itself afterwards.
  Result<> EnginePushes(const std::vector<std::string>& names,
                        registry::CredentialSource& credentials,
                        deliver::ExporterResponse& response,
                        EventSink& sink) {
    for (const std::string& name : names) {
      TRY_ASSIGN(Reference reference, ParseReference(name));
      TRY_ASSIGN(auto credential, credentials.Lookup(reference.domain, cancel_));
      TRY_ASSIGN(std::string digest, engine_->Push(name, credential, sink, cancel_));
      response.emplace("containerimage.config.digest", response["containerimage.digest"]);
      response["containerimage.digest"] = digest;
    }
    return {};
  }

  static deliver::ImageIdKind IdKind(const builder::Builder& builder, const plan::BuildPlan& plan) {
    bool classic_store = builder.features().engine_store && !builder.features().all_exporters;
    const auto& exporters = plan.request.exporters;
    bool docker_archive = std::any_of(exporters.begin(), exporters.end(),
                                      [](const build::Exporter& e) { return e.type == "docker"; });
    bool config = (classic_store && plan.engine_pushes.empty()) || docker_archive;
    return config ? deliver::ImageIdKind::kConfig : deliver::ImageIdKind::kManifest;
  }

  const options::BuildOptions& options_;
  const options::Invocation& invocation_;
  const options::Environment& environment_;
  Terminal& terminal_;
  const Cancel& cancel_;
  std::unique_ptr<http::HttpClient> http_;
  DockerSetup setup_;
  std::vector<session::SecretSpec> secrets_;
  plan::Source source_;
  std::map<std::string, std::unique_ptr<files::FileTree>> trees_;
  BuilderChoice choice_;
  std::unique_ptr<docker::Engine> engine_;
  Results results_;
};

}  // namespace

Result<> RunBuild(const options::Invocation& invocation,
                  const options::Environment& environment,
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
