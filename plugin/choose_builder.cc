#include "plugin/choose_builder.h"

#include <algorithm>
#include <filesystem>

#include <sys/stat.h>
#include <unistd.h>

#include "driver/base/encode.h"
#include "driver/base/random.h"
#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/disk/whole_file.h"
#include "driver/oci/digest.h"
#include "plugin/plan/placement.h"

namespace depot {
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

/// The builder keeps its copy of a context under a key, and sends nothing again that looks
/// unchanged there. Whoever knows the key could make the builder hand out another's files, so it
/// must not be guessable: with a secret that only this project has (a client key, a token) it is
/// derived from that (and is the same in every job of a project), else it is a random one kept
/// beside config.json, where docker buildx keeps it too.
std::string NodeId(const Secret& secret,
                   const Environment& environment,
                   const std::string& config_directory) {
  if (!secret.empty()) {
    std::string project = Variable(environment, "CI_PROJECT_PATH");
    char host[256] = "";
    if (project.empty()) ::gethostname(host, sizeof host - 1);
    return Sha256Hex(Cat("context owner\n", secret.Reveal(), '\n', project, '\n', host))
        .substr(0, 16);
  }
  std::string directory = Variable(environment, "BUILDX_CONFIG");
  if (directory.empty()) directory = config_directory + "/buildx";
  std::string path = directory + "/.buildNodeID";
  if (Result<std::string> known = disk::ReadWholeFile(path, 1024); known && !Trim(*known).empty()) {
    return std::string(Trim(*known));
  }
  std::string fresh = Hex(RandomBytes(8));
  // A read-only home is no reason not to build: the next build then just sends its context again.
  std::error_code ignored;
  std::filesystem::create_directories(directory, ignored);
  if (disk::WriteWholeFile(path, fresh)) ::chmod(path.c_str(), 0600);
  return fresh;
}

/// One PLATFORM=ADDRESS; nullopt when `text` has no such form.
std::optional<std::pair<std::string_view, std::string_view>> PlatformAndAddress(
    std::string_view text) {
  std::size_t equals = text.find('=');
  if (equals == std::string_view::npos || equals > text.find("://")) return std::nullopt;
  return {{Trim(text.substr(0, equals)), Trim(text.substr(equals + 1))}};
}

bool Contains(const std::vector<Platform>& platforms, const Platform& wanted) {
  return std::find(platforms.begin(), platforms.end(), wanted) != platforms.end();
}

/// The endpoint that decides about keys is the first one; see NodeId().
struct SelfHosted {
  std::vector<Site> sites;
  Secret key;
  bool tls = false;
};

Result<Site*> SiteAt(SelfHosted& hosts, std::string_view address, const Environment& environment) {
  TRY_ASSIGN(builder::Endpoint endpoint, builder::ParseEndpoint(address, environment));
  auto same = std::find_if(hosts.sites.begin(), hosts.sites.end(),
                           [&](const Site& site) { return site.name == endpoint.url; });
  if (same != hosts.sites.end()) return &*same;
  if (hosts.key.empty()) hosts.key = endpoint.tls_options.key_pem;
  hosts.tls |= endpoint.tls;
  Site site;
  site.name = endpoint.url;
  site.driver = builder::MakeRemoteDriver(std::move(endpoint));
  hosts.sites.push_back(std::move(site));
  return &hosts.sites.back();
}

/// What else each machine runs, unless another one was named for just that.
void AddFamilies(std::vector<Site>& sites) {
  std::vector<Platform> named;
  for (const Site& site : sites)
    named.insert(named.end(), site.native.begin(), site.native.end());
  for (Site& site : sites) {
    std::vector<Platform> family;
    for (const Platform& own : site.native) {
      std::vector<Platform> members = plan::NativeFamily(own);
      family.insert(family.end(), members.begin(), members.end());
    }
    for (const Platform& member : family) {
      if (!Contains(named, member) && !Contains(site.native, member)) site.native.push_back(member);
    }
  }
}

Result<SelfHosted> ParseSelfHosted(const std::string& text, const Environment& environment) {
  SelfHosted hosts;
  if (!PlatformAndAddress(text)) {
    TRY(SiteAt(hosts, text, environment));
    return hosts;
  }
  TRY_ASSIGN(const Environment read, builder::ReadPipes(environment));
  for (std::string_view part : Split(text, ',')) {
    auto pair = PlatformAndAddress(part);
    if (!pair) {
      return Fail(
          Error(ErrorCode::kInvalid, Cat("builder \"", Printable(RedactUrls(std::string(part))),
                                         "\" names no platform, as the first one does"))
              .WithHint("write PLATFORM=ADDRESS,PLATFORM=ADDRESS"));
    }
    TRY_ASSIGN(Platform platform, ParsePlatform(pair->first));
    TRY_ASSIGN(Site * site, SiteAt(hosts, pair->second, read));
    bool again = std::any_of(hosts.sites.begin(), hosts.sites.end(), [&](const Site& other) {
      return &other != site && Contains(other.native, platform);
    });
    if (again) {
      return Fail(
          Error(ErrorCode::kInvalid, Cat("there are two builders for ", FormatPlatform(platform)))
              .WithHint("name one builder for each platform"));
    }
    if (!Contains(site->native, platform)) site->native.push_back(platform);
  }
  AddFamilies(hosts.sites);
  return hosts;
}

/// --build-platform takes one machine for everything.
Result<> Force(const Platform& forced, std::vector<Site>& sites) {
  // A builder that was named without a platform is the only one.
  if (sites.front().native.empty()) return {};
  std::erase_if(sites, [&](const Site& site) { return !Contains(site.native, forced); });
  if (!sites.empty()) return {};
  return Fail(Error(ErrorCode::kUnsupported,
                    Cat("--build-platform: no builder was named for ", FormatPlatform(forced)))
                  .WithHint(Cat("add ", FormatPlatform(forced), "=ADDRESS to the builders")));
}

Result<BuilderChoice> ChooseSelfHosted(const std::string& setting, const ChoiceFacts& facts) {
  TRY_ASSIGN(SelfHosted hosts, ParseSelfHosted(setting, facts.environment));
  if (facts.options.build_platform) TRY(Force(*facts.options.build_platform, hosts.sites));
  std::vector<std::string> names;
  for (const Site& site : hosts.sites)
    names.push_back(site.name);
  BuilderChoice choice;
  choice.line = Cat("building on ", Join(names, ", "), hosts.tls ? " with TLS (" : " (",
                    facts.options.builder.empty() ? "DEPOT_BUILDER" : "--builder", ')');
  choice.node_id = NodeId(hosts.key, facts.environment, facts.config_directory);
  choice.sites = std::move(hosts.sites);
  return choice;
}

Result<BuilderChoice> ChooseHosted(api::ProjectChoice project,
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
  hosted.api_url = Variable(facts.environment, "DEPOT_API_URL");
  if (hosted.api_url.empty()) hosted.api_url = api::kDefaultApiUrl;
  hosted.existing_build = Variable(facts.environment, "DEPOT_BUILD_ID");
  BuilderChoice choice;
  choice.line = Cat("building through the Depot API at ", RedactUrls(hosted.api_url), " (",
                    token->source, ")");
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

}  // namespace

Result<bool> ChoosesEngine(const options::BuildOptions& options, const Environment& environment) {
  if (!BuilderSetting(options, environment).empty()) return false;
  std::string flag(options.token.Reveal());
  if (!api::TokenSetting(flag, environment).empty()) return false;
  TRY_ASSIGN(api::ProjectChoice project, ProjectOf(options, environment));
  return project.id.empty();
}

Result<BuilderChoice> ChooseBuilder(const ChoiceFacts& facts,
                                    http::HttpClient& client,
                                    const Cancel& cancel) {
  std::string setting = BuilderSetting(facts.options, facts.environment);
  if (!setting.empty()) return ChooseSelfHosted(setting, facts);
  TRY_ASSIGN(bool engine, ChoosesEngine(facts.options, facts.environment));
  if (!engine) {
    TRY_ASSIGN(api::ProjectChoice project, ProjectOf(facts.options, facts.environment));
    return ChooseHosted(std::move(project), facts, client, cancel);
  }
  BuilderChoice choice;
  const docker::EngineEndpoint& endpoint = facts.engine;
  bool named = endpoint.context_name != "default";
  choice.engine = true;
  choice.line =
      Cat("building on the Docker Engine at ", RedactUrls(endpoint.host), named ? " (context " : "",
          named ? endpoint.context_name : "", named ? ")" : "");
  choice.node_id = NodeId(Secret(), facts.environment, facts.config_directory);
  choice.sites.push_back({Cat("the Docker Engine at ", RedactUrls(endpoint.host)),
                          {},
                          builder::MakeEngineDriver(endpoint)});
  return choice;
}

std::vector<Site> HostedSites(const std::shared_ptr<builder::Driver>& driver,
                              const std::optional<Platform>& forced) {
  const Platform amd64{"linux", "amd64", ""};
  const Platform arm64{"linux", "arm64", ""};
  std::vector<Platform> machines = {amd64, arm64};
  if (HostPlatform().architecture == "arm64") std::reverse(machines.begin(), machines.end());
  if (forced) machines = {*forced};
  std::vector<Site> sites;
  for (const Platform& machine : machines) {
    sites.push_back({Cat("the Depot API's ", machine.architecture, " machine"),
                     plan::NativeFamily(machine), driver});
  }
  return sites;
}

}  // namespace depot
