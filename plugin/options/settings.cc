#include "plugin/options/settings.h"

#include <optional>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "plugin/options/flag_values.h"

namespace depot::options {
namespace {

constexpr std::string_view kNoEngine =
    "what the build takes would not be checked against it: there is no policy engine here; unset "
    "it to build unchecked, or build with docker buildx";

/// The builder, the way to it, and the Engine.
void AddBuilders(std::vector<Setting>& all) {
  for (std::string_view name :
       {"DEPOT_BUILDER", "DEPOT_BUILDER_CACERT", "DEPOT_BUILDER_CERT", "DEPOT_BUILDER_KEY",
        "DEPOT_BUILDER_SERVERNAME", "BUILDX_BUILDER", "BUILDKIT_HOST", "BUILDX_CONFIG",
        "DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH",
        "DOCKER_CONFIG", "DOCKER_CLI_PLUGIN_SOCKET", "KUBECONFIG"}) {
    all.push_back({name});
  }
  all.push_back(
      {"DOCKER_CUSTOM_HEADERS", Fate::kSaid, Asks::kAlways, "write HttpHeaders into config.json"});
  // We ask the Engine which version it speaks; docker itself decides whether it calls a plugin.
  all.push_back({"DOCKER_API_VERSION", Fate::kNoMatter});
  // 0 lets `docker build` pass the alias by, so none of us sees it: docs/migrating.md says so.
  all.push_back({"DOCKER_BUILDKIT", Fate::kNoMatter});
}

/// The Depot API, and who may ask it.
void AddDepot(std::vector<Setting>& all) {
  for (std::string_view name :
       {"DEPOT_TOKEN", "DEPOT_API_TOKEN", "DEPOT_OIDC_TOKEN", "DEPOT_JIT_TOKEN",
        "DEPOT_CACHE_TOKEN", "DEPOT_PROJECT_ID", "DEPOT_BUILD_ID", "DEPOT_API_URL",
        "DEPOT_API_CACERT", "XDG_CONFIG_HOME", "DEPOT_SUPPRESS_NO_OUTPUT_WARNING",
        "DEPOT_NO_SUMMARY_LINK", "GITLAB_CI", "CIRCLE_OIDC_TOKEN_V2",
        "BUILDKITE_AGENT_ACCESS_TOKEN", "BUILDKITE_AGENT_ENDPOINT", "BUILDKITE_JOB_ID"}) {
    all.push_back({name});
  }
  for (std::string_view name : {"DEPOT_PUSH_REGISTRY_USERNAME", "DEPOT_PUSH_REGISTRY_PASSWORD",
                                "DEPOT_PUSH_REGISTRY_AUTH"}) {
    all.push_back({name, Fate::kSaid, Asks::kAlways,
                   "it names no registry, and would go to every one; log in with docker login, or "
                   "set DOCKER_AUTH_CONFIG"});
  }
  // Telemetry, profiles and notices that are not made here; what a broken build does again; what
  // the Depot CLI has on its own runners, and DEPOT_BUILD_PLATFORM, which it never gets to.
  for (std::string_view name :
       {"DEPOT_NO_UPDATE_NOTIFIER", "DEPOT_ERROR_TELEMETRY", "DEPOT_DISABLE_OTEL", "DEPOT_DEBUG",
        "DEPOT_DEBUG_OIDC", "DEPOT_CPU_PROFILE", "DEPOT_BUILDKIT_ERROR_MAX_RETRY_COUNT",
        "DEPOT_BUILD_PLATFORM", "UPSTREAM_ACTIONS_CACHE_URL", "UPSTREAM_ACTIONS_RESULTS_URL"}) {
    all.push_back({name, Fate::kNoMatter});
  }
}

/// What is built, and what is said about it.
void AddBuild(std::vector<Setting>& all) {
  for (std::string_view name :
       {"DOCKER_DEFAULT_PLATFORM", "DOCKER_AUTH_CONFIG", "SOURCE_DATE_EPOCH", "TMPDIR",
        "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "BUILDX_METADATA_PROVENANCE", "BUILDX_GIT_INFO",
        "BUILDX_GIT_LABELS", "SSH_AUTH_SOCK", "AWS_*", "ACTIONS_*", "DEPOT_CACHE_TIMEOUT",
        "DEPOT_CONTEXT_TIMES", "DEPOT_RETRIES", "DEPOT_RETRY_FOR", "DEPOT_LOST_AFTER",
        "EXPERIMENTAL_BUILDKIT_SOURCE_POLICY"}) {
    all.push_back({name});
  }
  for (std::string_view name :
       {"BUILDX_NO_DEFAULT_ATTESTATIONS", "BUILDX_NO_DEFAULT_LOAD",
        "BUILDX_NO_DEFAULT_OCI_ARTIFACT", "BUILDX_METADATA_WARNINGS", "BUILDX_GIT_CHECK_DIRTY",
        "DEPOT_LOAD", "DEPOT_NATIVE_ONLY", "DEPOT_NO_STANDBY"}) {
    all.push_back({name, Fate::kHonoured, Asks::kWhenTrue});
  }
  all.push_back({"BUILDX_DEFAULT_POLICY", Fate::kRefused, Asks::kWhenTrue, kNoEngine});
  all.push_back({"BUILDX_SEND_GIT_QUERY_AS_INPUT", Fate::kSaid, Asks::kWhenTrue,
                 "a git URL goes to the builder as it is"});
  all.push_back({"BUILDKIT_NO_CLIENT_TOKEN", Fate::kSaid, Asks::kWhenTrue,
                 "tokens of registries are fetched from here"});
  for (std::string_view name : {"BUILDX_CPU_PROFILE", "BUILDX_MEM_PROFILE"})
    all.push_back({name, Fate::kSaid, Asks::kAlways, "no profile is written"});
}

/// What `bake` reads, beside what compose files do.
void AddBake(std::vector<Setting>& all) {
  for (std::string_view name :
       {"BUILDX_BAKE_FILE", "BUILDX_BAKE_PATH_SEPARATOR", "COMPOSE_PROJECT_NAME",
        "BUILDX_BAKE_GIT_SSH", "BUILDX_BAKE_GIT_AUTH_TOKEN", "BUILDX_BAKE_GIT_AUTH_HEADER"})
    all.push_back({name});
  for (std::string_view name :
       {"BUILDX_BAKE_ENTITLEMENTS_FS", "BUILDX_BAKE_DISABLE_VARS_ENV_LOOKUP",
        "BAKE_ALLOW_REMOTE_FS_ACCESS"})
    all.push_back({name, Fate::kHonoured, Asks::kWhenTrue});
  all.push_back({"BUILDX_BAKE_FILE_RELATIVE_PATHS", Fate::kSaid, Asks::kWhenTrue,
                 "paths in bake files are relative to the working directory"});
}

/// What is seen of a build; see ReadStyle() of plugin/progress.
void AddScreen(std::vector<Setting>& all) {
  for (std::string_view name :
       {"BUILDKIT_PROGRESS", "NO_COLOR", "BUILDKIT_COLORS", "BUILDKIT_TTY_LOG_LINES",
        "TTY_DISPLAY_RATE", "PROGRESS_NO_TRUNC"}) {
    all.push_back({name});
  }
}

/// Traces: nothing here uses them, and no image is different.
void AddTheRest(std::vector<Setting>& all) {
  for (std::string_view name :
       {"BUILDX_EXPERIMENTAL", "OTEL_*", "TRACEPARENT", "TRACESTATE", "JAEGER_*", "SUDO_UID",
        "SUDO_GID", "WSL_DISTRO_NAME", "DEBUG", "GITHUB_*"}) {
    all.push_back({name, Fate::kNoMatter});
  }
}

/// nullopt: neither true nor false, where it should be.
std::optional<bool> AsksFor(const Setting& setting, std::string_view value) {
  return setting.asks == Asks::kWhenTrue ? ParseBool(value) : true;
}

}  // namespace

const std::vector<Setting>& KnownSettings() {
  static const std::vector<Setting> known = [] {
    std::vector<Setting> all;
    AddBuilders(all);
    AddDepot(all);
    AddBuild(all);
    AddBake(all);
    AddScreen(all);
    AddTheRest(all);
    return all;
  }();
  return known;
}

Result<std::vector<std::string>> CheckSettings(const Environment& environment) {
  std::vector<std::string> lines;
  for (const Setting& setting : KnownSettings()) {
    const std::string name(setting.name);
    const std::string value = TrimmedVariable(environment, name);
    if (value.empty()) continue;
    std::optional<bool> on = AsksFor(setting, value);
    // What would refuse the build is not taken for false: a policy that was meant would be passed
    // over.
    if (!on && setting.fate != Fate::kRefused) {
      lines.push_back(Cat(name, " is neither true nor false, and taken for false"));
    }
    if (!on.value_or(setting.fate == Fate::kRefused)) continue;
    if (setting.fate == Fate::kRefused) {
      return Fail(Error(ErrorCode::kUnsupported, Cat(name, " cannot be honoured here"))
                      .WithHint(std::string(setting.text))
                      .At(FailedAt::kSettings));
    }
    if (setting.fate == Fate::kSaid) {
      lines.push_back(Cat(name, " has no effect: ", setting.text));
    }
  }
  return lines;
}

Result<> ApplyProgressVariable(const Environment& environment, BuildOptions& options) {
  const std::string value = Variable(environment, "BUILDKIT_PROGRESS");
  if (value.empty() || options.quiet || options.progress != ProgressMode::kAuto) return {};
  Result<ProgressMode> mode = ParseProgress(value);
  if (!mode) {
    return Fail(
        Error(ErrorCode::kUsage, Cat("BUILDKIT_PROGRESS: unknown mode \"", Printable(value), '"'))
            .WithHint("auto, gitlab, none, plain, quiet, rawjson and tty are known")
            .At(FailedAt::kSettings));
  }
  options.progress = *mode;
  return {};
}

}  // namespace depot::options
