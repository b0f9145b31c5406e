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

Choice OnHosts(SelfHosted hosts, const std::string& said_by, const ChoiceFacts& facts) {
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

/// Not an address, and not PLATFORM=ADDRESS.
bool IsName(std::string_view setting) {
  return setting.find_first_of(":=/") == std::string_view::npos;
}

Result<Choice> ChooseInstance(builder::NamedBuilder named, const ChoiceFacts& facts) {
  std::vector<std::string> warnings;
  if (named.instance.default_load) {
    warnings.push_back(Cat("the option default-load of the builder ",
                           Printable(named.instance.name), " is not followed: add --load"));
  }
  TRY_ASSIGN(SelfHosted hosts, OfInstance(std::move(named.instance), facts.options.build_platform));
  Choice choice = OnHosts(std::move(hosts), named.said_by, facts);
  choice.warnings = std::move(warnings);
  return choice;
}

Result<Choice> ChooseEngine(const std::string& said_by, const ChoiceFacts& facts) {
  TRY(facts.engine);
  Choice choice;
  const docker::EngineEndpoint& endpoint = *facts.engine;
  std::vector<std::string> remarks;
  if (endpoint.context_name != "default") remarks.push_back(Cat("context ", endpoint.context_name));
  if (!said_by.empty()) remarks.push_back(said_by);
  const std::string address = Cat("the Docker Engine at ", RedactUrls(endpoint.host));
  choice.engine = true;
  choice.line = Cat("building on ", address, remarks.empty() ? "" : " (", Join(remarks, ", "),
                    remarks.empty() ? "" : ")");
  choice.node_id = NodeId(Secret(), facts.environment, facts.config_directory);
  choice.sites.push_back({address, {}, {}, builder::MakeEngineDriver(endpoint)});
  return choice;
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
                    .WithHint(api::HowToGiveAToken()));
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

/// Neither a builder, nor a token, nor a project is named. Asks nobody.
Result<bool> ChoosesEngine(const options::BuildOptions& options, const Environment& environment) {
  if (!BuilderSetting(options, environment).empty()) return false;
  std::string flag(options.token.Reveal());
  if (!api::TokenSetting(flag, environment).empty()) return false;
  TRY_ASSIGN(api::ProjectChoice project, ProjectOf(options, environment));
  return project.id.empty();
}

Result<Choice> Choose(const ChoiceFacts& facts, http::HttpClient& client, const Cancel& cancel) {
  const std::string setting = BuilderSetting(facts.options, facts.environment);
  const std::string said_by = facts.options.builder.empty() ? "DEPOT_BUILDER" : "--builder";
  if (!setting.empty() && !IsName(setting)) {
    TRY_ASSIGN(SelfHosted hosts,
               ParseSelfHosted(setting, facts.options.build_platform, facts.environment));
    return OnHosts(std::move(hosts), said_by, facts);
  }
  const docker::EngineEndpoint none;
  const builder::InstanceFacts places{facts.environment, facts.config_directory,
                                      facts.engine ? *facts.engine : none};
  std::optional<builder::NamedBuilder> named;
  if (!setting.empty()) {
    TRY_ASSIGN(builder::Instance instance, builder::FindInstance(setting, places));
    named = builder::NamedBuilder{std::move(instance), said_by};
  } else {
    TRY_ASSIGN(bool engine, ChoosesEngine(facts.options, facts.environment));
    if (!engine) {
      TRY_ASSIGN(api::ProjectChoice project, ProjectOf(facts.options, facts.environment));
      return ChooseHosted(std::move(project), facts, client, cancel);
    }
    TRY_ASSIGN(named, builder::BuilderOfEnvironment(places));
  }
  if (named && !named->instance.engine) return ChooseInstance(*std::move(named), facts);
  return ChooseEngine(named ? named->said_by : "", facts);
}

}  // namespace

Result<Choice> ChooseBuilder(const ChoiceFacts& facts,
                             http::HttpClient& client,
                             const Cancel& cancel) {
  TRY_ASSIGN(Choice choice, Choose(facts, client, cancel));
  if (facts.options.save && !choice.hosted) {
    return Fail(Error(ErrorCode::kUsage, "--save: only the Depot API keeps images")
                    .WithHint("give a token (DEPOT_TOKEN), or use --push"));
  }
  return choice;
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
