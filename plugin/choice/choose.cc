#include "plugin/choice/choose.h"

#include <algorithm>
#include <filesystem>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/builder/instances.h"
#include "driver/depot/api_url.h"
#include "plugin/choice/node_id.h"
#include "plugin/choice/self_hosted.h"

namespace depot::choice {
namespace {

/// The project named by flag, variable, or a file above the context or the Dockerfile.
Result<api::ProjectChoice> ProjectOf(const options::BuildOptions& options,
                                     const Environment& environment) {
  auto place = [](const std::string& path) { return path.empty() || path == "-" ? "." : path; };
  std::vector<std::string> directories;
  std::error_code missing;
  if (std::filesystem::is_directory(place(options.context), missing)) {
    directories.push_back(place(options.context));
  } else {
    directories.emplace_back(".");
  }
  if (!options.file.empty() && options.file != "-") {
    std::string directory = std::filesystem::path(options.file).parent_path();
    directories.push_back(place(directory));
  }
  return api::FindProject(options.project, environment, directories);
}

std::string BuilderSetting(const options::BuildOptions& options, const Environment& environment) {
  return options.builder.empty() ? Variable(environment, "DEPOT_BUILDER") : options.builder;
}

Choice OnOwnBuilders(SelfHosted hosts, std::string_view said_by, const ChoiceFacts& facts) {
  std::vector<std::string> names;
  for (const Site& site : hosts.sites)
    names.push_back(site.name);
  Choice choice;
  choice.line =
      Cat("building on ", Join(names, ", "), hosts.tls ? " with TLS (" : " (", said_by, ')');
  choice.node_id = NodeId(hosts.key, facts.environment, facts.config_directory);
  choice.sites = std::move(hosts.sites);
  return choice;
}

/// `said_by` is empty when nobody named it.
Result<Choice> ChooseEngine(std::string_view said_by, const ChoiceFacts& facts) {
  TRY(facts.engine);
  const docker::EngineEndpoint& endpoint = *facts.engine;
  std::vector<std::string> notes;
  if (endpoint.context_name != "default") notes.push_back(Cat("context ", endpoint.context_name));
  if (!said_by.empty()) notes.emplace_back(said_by);
  Choice choice;
  choice.engine = true;
  choice.line = Cat("building on the Docker Engine at ", RedactUrls(endpoint.host));
  if (!notes.empty()) choice.line += Cat(" (", Join(notes, ", "), ')');
  choice.node_id = NodeId(Secret(), facts.environment, facts.config_directory);
  choice.sites.push_back({Cat("the Docker Engine at ", RedactUrls(endpoint.host)),
                          {},
                          {},
                          builder::MakeEngineDriver(endpoint),
                          {endpoint.context_name, endpoint.context_name}});
  return choice;
}

Result<Choice> ChooseInstance(builder::Instance instance,
                              std::string_view said_by,
                              const ChoiceFacts& facts) {
  if (instance.engine) return ChooseEngine(said_by, facts);
  const bool loads = instance.default_load;
  std::vector<std::string> notices = std::move(instance.notices);
  TRY_ASSIGN(SelfHosted hosts, SelfHostedOf(std::move(instance), facts.options.build_platform));
  Choice choice = OnOwnBuilders(std::move(hosts), said_by, facts);
  choice.default_load = loads;
  choice.warnings = std::move(notices);
  return choice;
}

/// `setting` is that of --builder or DEPOT_BUILDER.
Result<Choice> ChooseSelfHosted(const std::string& setting,
                                const ChoiceFacts& facts,
                                const builder::InstanceFacts& instances,
                                const Cancel& cancel) {
  const std::string said_by = facts.options.builder.empty() ? "DEPOT_BUILDER" : "--builder";
  if (NamesInstance(setting)) {
    Result<builder::Instance> instance = builder::FindInstance(setting, instances, cancel);
    if (!instance) return Fail(std::move(instance).error().While(said_by));
    return ChooseInstance(*std::move(instance), Cat(said_by, ' ', Printable(setting)), facts);
  }
  auto parsed = ParseSelfHosted(setting, facts.options.build_platform, facts.environment, cancel);
  TRY_ASSIGN(SelfHosted hosts, OfSetting(said_by, std::move(parsed)));
  return OnOwnBuilders(std::move(hosts), said_by, facts);
}

Result<Choice> ChooseHosted(api::ProjectChoice project,
                            const ChoiceFacts& facts,
                            http::HttpClient& client,
                            const Cancel& cancel) {
  const std::string flag(facts.options.token.Reveal());
  TRY_ASSIGN(auto token, api::FindToken(flag, facts.environment, client, cancel));
  if (!token && facts.log_in) {
    TRY(facts.log_in());
    TRY_ASSIGN(token, api::FindToken(flag, facts.environment, client, cancel));
  }
  if (!token) {
    return Fail(Error(ErrorCode::kDenied,
                      Cat("project ", Printable(project.id), " (", Printable(project.source),
                          ") is built through the Depot API, which needs a token"))
                    .WithHint(api::HowToGiveAToken())
                    .At(FailedAt::kAuthentication));
  }
  HostedChoice hosted;
  hosted.machine = facts.options.build_platform;
  hosted.existing_build = Variable(facts.environment, "DEPOT_BUILD_ID");
  Choice choice;
  choice.line = Cat("building through the Depot API at ",
                    RedactUrls(api::ApiUrl(facts.environment)), " (", token->source, ")");
  if (!project.id.empty()) choice.line += Cat(", project ", Printable(project.id));
  choice.warnings = project.warnings;
  // A JWT of a job is another one in the next job.
  bool lasting = token->value.Reveal().find('.') == std::string_view::npos;
  choice.node_id =
      NodeId(lasting ? token->value : Secret(), facts.environment, facts.config_directory);
  hosted.token = *std::move(token);
  hosted.project = std::move(project);
  choice.hosted = std::move(hosted);
  return choice;
}

Result<Choice> Choose(const ChoiceFacts& facts, http::HttpClient& client, const Cancel& cancel) {
  // An Engine that is not known is none of buildx's, and an error only where it is chosen.
  const docker::EngineEndpoint unknown;
  const builder::InstanceFacts instances{facts.environment, facts.config_directory,
                                         facts.engine ? *facts.engine : unknown};
  const std::string setting = BuilderSetting(facts.options, facts.environment);
  if (!setting.empty()) {
    return OfSetting("", ChooseSelfHosted(setting, facts, instances, cancel));
  }
  TRY_ASSIGN(api::ProjectChoice project,
             OfSetting("", ProjectOf(facts.options, facts.environment)));
  const std::string flag(facts.options.token.Reveal());
  if (!project.id.empty() || !api::TokenSetting(flag, facts.environment).empty()) {
    return ChooseHosted(std::move(project), facts, client, cancel);
  }
  TRY_ASSIGN(auto named, OfSetting("", builder::BuilderOfEnvironment(instances, cancel)));
  if (named) {
    return OfSetting("", ChooseInstance(std::move(named->instance), named->said_by, facts));
  }
  TRY_ASSIGN(Choice engine, ChooseEngine("", facts));
  if (!Variable(facts.environment, "DEPOT_API_URL").empty()) {
    engine.warnings.emplace_back(
        "DEPOT_API_URL has no effect: there is no token. Set DEPOT_TOKEN; in GitLab, jobs of "
        "unprotected branches do not get a protected variable");
  }
  return engine;
}

/// Flags of the Depot API beside another builder; that a variable means nothing needs no word.
void SayWhatHasNoEffect(const options::BuildOptions& options, Choice& choice) {
  if (choice.hosted) return;
  for (const auto& [given, flag] :
       {std::pair{!options.token.empty(), "--token"}, {!options.project.empty(), "--project"}}) {
    if (!given) continue;
    choice.warnings.push_back(
        Cat(flag, " has no effect: it is for the Depot API, and another builder was named"));
  }
  if (options.build_platform && choice.sites.size() == 1 && choice.sites.front().native.empty()) {
    choice.warnings.push_back("--build-platform chooses no machine: there is one builder");
  }
}

}  // namespace

Result<Choice> ChooseBuilder(const ChoiceFacts& facts,
                             http::HttpClient& client,
                             const Cancel& cancel) {
  auto chosen = Choose(facts, client, cancel);
  if (!chosen) return Fail(std::move(chosen).error().At(FailedAt::kNoBuilder));
  Choice choice = *std::move(chosen);
  if (facts.options.save && !choice.hosted) {
    return Fail(Error(ErrorCode::kUsage, "--save: only the Depot API keeps images")
                    .WithHint("give a token (DEPOT_TOKEN), or use --push"));
  }
  SayWhatHasNoEffect(facts.options, choice);
  choice.emulation = EmulationOf(facts.options, facts.environment, choice.hosted.has_value());
  return choice;
}

Emulation EmulationOf(const options::BuildOptions& options,
                      const Environment& environment,
                      bool hosted) {
  const std::string said = TrimmedVariable(environment, "DEPOT_NATIVE_ONLY");
  const bool variable = said.empty() ? hosted : ParseBool(said).value_or(false);
  if (options.native_only.value_or(false)) return Emulation::kNever;
  if (options.emulate || options.build_platform) return Emulation::kAnywhere;
  return options.native_only.value_or(variable) ? Emulation::kNever : Emulation::kListed;
}

std::vector<Site> HostedSites(const std::shared_ptr<builder::Driver>& driver,
                              const std::optional<Platform>& machine) {
  const Platform amd64{"linux", "amd64", ""};
  const Platform arm64{"linux", "arm64", ""};
  std::vector<Platform> machines = {amd64, arm64};
  if (HostPlatform().architecture == "arm64") std::reverse(machines.begin(), machines.end());
  if (machine) machines = {*machine};
  std::vector<Site> sites;
  for (const Platform& one : machines) {
    sites.push_back(
        {Cat("the Depot API's ", one.architecture, " machine"), NativeFamily(one), {}, driver});
  }
  return sites;
}

}  // namespace depot::choice
