#include "plugin/pull_command.h"

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/builder/engine_tunnel.h"
#include "driver/docker/engine.h"
#include "driver/oci/reference.h"
#include "plugin/depot_account.h"
#include "plugin/docker_setup.h"
#include "plugin/progress/display.h"

namespace depot {
namespace {

constexpr int kBuildsNamed = 5;

/// One pull, shown to `sink`.
class Pull {
 public:
  Pull(const options::Invocation& invocation,
       const options::AccountOptions& options,
       const Environment& environment,
       EventSink& sink,
       const Cancel& cancel)
      : invocation_(invocation),
        options_(options),
        environment_(environment),
        sink_(sink),
        cancel_(cancel) {}

  /// The names that the Engine knows the image by, one a line.
  Result<std::string> Run() {
    TRY_ASSIGN(account_, DepotAccount::Make(environment_, [this](std::string line) {
                 sink_.Say(std::move(line));
               }));
    account_->http().SayTo(&sink_);
    TRY_ASSIGN(api::Token token, account_->Token(options_, cancel_));
    if (options_.build.empty()) return Fail(WhichBuild(token));
    TRY_ASSIGN(DockerSetup setup, ReadDockerSetup(invocation_.globals, environment_));
    TRY(setup.engine);
    std::string temporary = Variable(environment_, "TMPDIR");
    if (temporary.empty()) temporary = "/tmp";
    TRY_ASSIGN(auto tunnel, builder::OpenEngineTunnel(*setup.engine, temporary));
    TRY_ASSIGN(auto engine, docker::MakeEngine(account_->http(), *setup.engine));
    TRY(engine->Info(cancel_));

    TRY_ASSIGN(api::PullInfo info, account_->api().GetPullInfo(token, options_.build, cancel_));
    if (!info.saved) {
      return Fail(Error(ErrorCode::kNotFound,
                        Cat("the image of the build ", Printable(options_.build), " was not saved"))
                      .WithHint("build with --save to keep it"));
    }
    TRY(PullFrom(*engine, info));
    std::string names;
    for (const std::string& tag : options_.tags) {
      TRY(engine->Tag(info.reference, tag, cancel_));
      names += Cat(tag, '\n');
    }
    return names.empty() ? Cat(Printable(info.reference), '\n') : names;
  }

 private:
  Result<> PullFrom(docker::Engine& engine, const api::PullInfo& info) {
    std::optional<registry::Credential> credential;
    if (!info.password.empty()) {
      credential.emplace();
      credential->username = info.username;
      credential->password = info.password;
      credential->source = "the Depot API";
    }
    Result<> pulled = engine.Pull(info.reference, options_.platform, credential, sink_, cancel_);
    if (pulled || !pulled.error().hint().empty()) return pulled;
    Error error = std::move(pulled).error();
    if (error.code() == ErrorCode::kDenied) {
      return Fail(
          std::move(error).WithHint("the registry refused the credential that the Depot API "
                                    "gave out for this build"));
    }
    if (error.code() != ErrorCode::kNotFound) return Fail(std::move(error));
    return Fail(std::move(error).WithHint(
        options_.platform ? "was the build made for that platform?"
                          : "the saved image may have been removed from the registry"));
  }

  /// No build was named; the newest of the project, if one is known, help to name it.
  Error WhichBuild(const api::Token& token) {
    Error error(ErrorCode::kUsage, "pull needs the ID of a build");
    Result<std::string> project = account_->Project(options_);
    if (!project) return std::move(error).WithHint("the command list builds shows them");
    Result<api::BuildPage> page =
        account_->api().ListBuilds(token, *project, kBuildsNamed, "", cancel_);
    if (!page) return std::move(page).error();
    std::vector<std::string> ids;
    for (const api::ListedBuild& build : page->builds)
      ids.push_back(Printable(build.id));
    if (ids.empty()) {
      return std::move(error).WithHint(
          Cat("the project ", Printable(*project), " has no build yet"));
    }
    return std::move(error).WithHint(
        Cat("the newest of the project ", Printable(*project), " are ", Join(ids, ", ")));
  }

  const options::Invocation& invocation_;
  const options::AccountOptions& options_;
  const Environment& environment_;
  EventSink& sink_;
  const Cancel& cancel_;
  std::unique_ptr<DepotAccount> account_;
};

}  // namespace

Result<> RunPull(const options::Invocation& invocation,
                 const Environment& environment,
                 Terminal& terminal,
                 const Cancel& cancel) {
  TRY_ASSIGN(auto options, ReadAccountFlags(invocation, terminal, cancel));
  if (!options) return {};
  TRY(terminal.CheckResult());
  bool quiet = options->progress == options::ProgressMode::kQuiet;
  DisplayOptions shown{quiet ? DisplayMode::kQuiet : DisplayMode::kPlain, invocation.globals.debug};
  auto display = MakeDisplay(shown, terminal);
  Result<std::string> names = Pull(invocation, *options, environment, *display, cancel).Run();
  display->Finish(names ? nullptr : &names.error());
  if (!names) return Fail(std::move(names).error());
  return terminal.WriteResult(*names, cancel);
}

}  // namespace depot
