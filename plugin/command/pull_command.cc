#include "plugin/command/pull_command.h"

#include "driver/base/hints.h"
#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/docker/engine.h"
#include "driver/oci/reference.h"
#include "plugin/command/account.h"
#include "plugin/command/chosen_display.h"
#include "plugin/command/command_line.h"
#include "plugin/deliver/engine_load.h"
#include "plugin/deliver/registry_source.h"
#include "plugin/job/image_places.h"
#include "plugin/job/registry_access.h"
#include "plugin/options/flag_values.h"

namespace depot::command {
namespace {

struct PullOptions {
  Secret token;
  std::string project;
  std::string build;  ///< "" = not given
  std::optional<Platform> platform;
  std::vector<std::string> tags;
  std::vector<std::string> targets;  ///< of a bake; empty = the build has one image
  options::ProgressMode progress = options::ProgressMode::kAuto;
};

Result<Platform> ParseOnePlatform(const std::string& value) {
  TRY_ASSIGN(std::vector<Platform> platforms, options::ParsePlatforms(value));
  if (platforms.size() == 1) return platforms.front();
  return Fail(ErrorCode::kUsage, "--platform: an image is pulled for one platform at a time");
}

/// It becomes the end of a tag.
Result<std::string> ParseBakeTarget(const std::string& value) {
  if (!value.empty() && ParseReference(Cat("name:tag-", value))) return value;
  return Fail(ErrorCode::kUsage,
              Cat("--target: \"", Printable(value), "\" is no name of a bake target"));
}

CommandLine PullLine(PullOptions& options) {
  constexpr flags::FlagKind kText = flags::FlagKind::kText;
  return {.words = "pull",
          .description = "Bring the image of a build made with --save into the Docker Engine",
          .flags = {{"platform", 0, kText, "string",
                     "Pull the image of this platform, as in \"linux/arm64\"",
                     flags::Parsed(options.platform, ParseOnePlatform)},
                    {"progress", 0, kText, "string",
                     "Set type of progress output: \"auto\", \"gitlab\", \"none\", \"plain\", "
                     "\"quiet\", \"rawjson\", \"tty\" (default \"auto\")",
                     flags::Parsed(options.progress, options::ParseProgress)},
                    {"tag", 't', kText, "list",
                     "Name the image so in the Engine (format: \"name:tag\")",
                     flags::Added(options.tags, options::ParseTag)},
                    {"target", 0, kText, "list", "Pull the image of this target of a bake",
                     flags::Added(options.targets, ParseBakeTarget)},
                    TokenFlag(options.token),
                    ProjectFlag(options.project)},
          .argument = "BUILD",
          .target = &options.build};
}

/// One pull, shown to `sink`.
class Pull {
 public:
  Pull(job::Workshop& workshop, const PullOptions& options, EventSink& sink, const Cancel& cancel)
      : workshop_(workshop), options_(options), sink_(sink), cancel_(cancel) {}

  /// The names that the Engine knows the image by, one a line.
  Result<std::string> Run() {
    if (options_.platform) {
      for (std::string& line : options::UnknownPlatforms("--platform", {*options_.platform}))
        sink_.Say(std::move(line));
    }
    TRY_ASSIGN(account_, Account::Open(workshop_, sink_));
    TRY_ASSIGN(const api::Token token, Token());
    if (options_.build.empty()) {
      return Fail(account_->WhichBuild("pull", token, options_.project, cancel_));
    }
    TRY(workshop_.ReadDocker());
    TRY_ASSIGN(docker::Engine * engine, workshop_.Engine());
    TRY_ASSIGN(engine_info_, engine->Info(cancel_));

    TRY_ASSIGN(api::PullInfo info, account_->SavedBuild(token, options_.build, cancel_));
    if (options_.targets.empty()) return PullAndName(*engine, info);
    std::string names;
    for (const std::string& target : options_.targets) {
      // As the official client names the image of a target (depot/cli pkg/buildx/commands/pull.go).
      api::PullInfo one = info;
      one.reference += Cat('-', target);
      TRY_ASSIGN(const std::string its, PullAndName(*engine, one));
      names += its;
    }
    return names;
  }

 private:
  Result<std::string> PullAndName(docker::Engine& engine, const api::PullInfo& info) {
    TRY(BringLayers(engine, info));
    TRY(PullFrom(engine, info));
    std::string names;
    for (const std::string& tag : options_.tags) {
      TRY(engine.Tag(info.reference, tag, cancel_));
      names += Cat(tag, '\n');
    }
    return names.empty() ? Cat(Printable(info.reference), '\n') : names;
  }

  /// Who has never had one may have meant another command.
  Result<api::Token> Token() const {
    Result<api::Token> token = account_->Token(options_.token, cancel_);
    if (token || token.error().code() != ErrorCode::kDenied) return token;
    const std::string hint = token.error().hint();
    return Fail(std::move(token).error().WithHint(
        JoinHints(hint, "an image of a registry, by its name, comes with docker pull")));
  }

  /// A classic store knows layers that were built or loaded by their content alone, and would fetch
  /// them: what it lacks is brought to it, and its pull then finds the image there. The other store
  /// goes by the registry's digests itself.
  Result<> BringLayers(docker::Engine& engine, const api::PullInfo& info) {
    const std::optional<Platform>& platform =
        options_.platform ? options_.platform : engine_info_.platform;
    const Result<job::ImageName> saved = job::ParseImageName(info.reference);
    if (engine_info_.containerd_store || !platform || !saved) return {};
    job::RegistryAccess access(workshop_, HandedOut(saved->reference, info), sink_);
    const auto registries = access.Open({});
    const auto repository = registries->Open(saved->reference, registry::Access::kPull);
    deliver::EngineLoad load{.engine = engine, .info = engine_info_, .before_pull = true};
    load.sources.push_back(deliver::MakeRegistrySource(
        *repository, saved->digest.empty() ? saved->tag : saved->digest, *platform));
    const auto loaded = deliver::LoadIntoEngine(load, sink_, cancel_);
    TRY(cancel_.Check());
    if (!loaded) {
      SayNotBrought(loaded.error());
    } else if (loaded->source_lacks && loaded->source_lacks->code() != ErrorCode::kDenied &&
               loaded->source_lacks->code() != ErrorCode::kNotFound) {
      // What the registry refuses, or has not, the pull will say.
      SayNotBrought(*loaded->source_lacks);
    }
    return {};
  }

  void SayNotBrought(const Error& why) {
    sink_.Say(
        Cat("the Docker Engine pulls the whole image, as its missing layers could not be "
            "brought: ",
            why.message()));
  }

  Result<> PullFrom(docker::Engine& engine, const api::PullInfo& info) {
    Result<> pulled =
        engine.Pull(info.reference, options_.platform, CredentialFor(info), sink_, cancel_);
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

  job::Workshop& workshop_;
  const PullOptions& options_;
  EventSink& sink_;
  const Cancel& cancel_;
  std::unique_ptr<Account> account_;
  docker::EngineInfo engine_info_;
};

}  // namespace

Result<> RunPull(const Call& call) {
  PullOptions options;
  TRY_ASSIGN(bool runs, ReadCommandLine(PullLine(options), call));
  if (!runs) return {};
  if (options.targets.size() > 1 && !options.tags.empty()) {
    return Fail(ErrorCode::kUsage, "--tag names one image, and several targets are pulled");
  }
  TRY(call.terminal.CheckResult());
  TRY_ASSIGN(ChosenDisplay chosen, ChooseDisplay(call, options.progress));
  chosen.options.title = "the Depot registry";
  auto display = MakeDisplay(chosen.options, call.terminal);
  for (std::string& line : chosen.lines)
    display->Say(std::move(line));
  job::Workshop workshop(call.environment, call.globals, call.version);
  Result<std::string> names = Pull(workshop, options, *display, call.cancel).Run();
  display->Finish(names ? nullptr : &names.error());
  if (!names) return Fail(std::move(names).error());
  return call.terminal.WriteResult(*names, call.cancel);
}

}  // namespace depot::command
