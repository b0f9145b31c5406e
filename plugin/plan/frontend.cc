#include "plugin/plan/frontend.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/oci/platform_list.h"
#include "plugin/options/flag_values.h"
#include "plugin/plan/git_url.h"

namespace depot::plan {
namespace {

using Attributes = std::map<std::string, std::string>;

std::optional<std::string> Find(const Attributes& map, const std::string& key) {
  auto found = map.find(key);
  if (found == map.end()) return std::nullopt;
  return found->second;
}

/// Proxies of config.json, unless the user gave the same name in any letter case.
void AddProxies(const FrontendFacts& facts, Attributes& args) {
  static const std::vector<std::pair<std::string, std::string>> names = {
      {"httpProxy", "HTTP_PROXY"},
      {"httpsProxy", "HTTPS_PROXY"},
      {"noProxy", "NO_PROXY"},
      {"ftpProxy", "FTP_PROXY"}};
  auto chosen = facts.proxies.find(facts.engine_host);
  if (chosen == facts.proxies.end()) chosen = facts.proxies.find("default");
  if (chosen == facts.proxies.end()) return;
  for (const auto& [key, name] : names) {
    std::string value = Find(chosen->second, key).value_or("");
    std::string lower = LowerAscii(name);
    bool given = std::any_of(args.begin(), args.end(),
                             [&](const auto& arg) { return LowerAscii(arg.first) == lower; });
    if (!value.empty() && !given) args[name] = value;
  }
}

Attributes BuildArgs(const options::BuildOptions& options, const FrontendFacts& facts) {
  Attributes args;
  for (const auto& [key, value] : options.build_args) {
    std::optional<std::string> chosen = value ? value : Find(facts.environment, key);
    if (chosen) args[key] = *chosen;
  }
  auto epoch = Find(facts.environment, "SOURCE_DATE_EPOCH");
  if (epoch && !epoch->empty()) args.emplace("SOURCE_DATE_EPOCH", *epoch);
  AddProxies(facts, args);
  return args;
}

/// --build-arg BUILDKIT_SYNTAX chooses the frontend image, as a `# syntax=` line does.
Result<> ChooseFrontend(const Attributes& args, solve::BuildRequest& request) {
  auto syntax = Find(args, "BUILDKIT_SYNTAX");
  request.frontend = syntax ? "gateway.v0" : "dockerfile.v0";
  if (!syntax) return {};
  std::string_view trimmed = Trim(*syntax);
  if (trimmed.empty()) {
    return Fail(ErrorCode::kUsage,
                "empty BUILDKIT_SYNTAX build-arg is invalid, use --build-arg BUILDKIT_SYNTAX "
                "without '=' for optional behavior");
  }
  request.frontend_attrs["source"] = std::string(trimmed.substr(0, trimmed.find(' ')));
  request.frontend_attrs["cmdline"] = *syntax;
  return {};
}

Result<std::string> HostList(const options::BuildOptions& options,
                             const builder::Features& features) {
  std::vector<std::string> entries;
  for (const auto& [name, address] : options.add_hosts) {
    bool gateway = address == "host-gateway";
    if (gateway && features.host_gateway_ip.empty()) {
      return Fail(Error(ErrorCode::kUnsupported,
                        Cat("--add-host ", Printable(name),
                            ": host-gateway is not supported by this builder, which knows no "
                            "address for it"))
                      .WithHint("give the address itself"));
    }
    entries.push_back(Cat(name, "=", gateway ? features.host_gateway_ip : address));
  }
  return Join(entries, ",");
}

/// One record of CSV, as the builder reads it (BuildKit frontend/attestations/parse.go).
std::string AttestationValue(const std::string& type, const Attributes& attrs) {
  std::vector<std::string> fields = {Cat("type=", type)};
  for (const auto& [key, value] : attrs) {
    std::string field = Cat(key, "=", value);
    if (field.find_first_of(",\"\n") != std::string::npos) {
      std::string quoted;
      for (char c : field)
        quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
      field = Cat('"', quoted, '"');
    }
    fields.push_back(std::move(field));
  }
  return Join(fields, ",");
}

Result<> AddAttestations(const options::BuildOptions& options,
                         const builder::Features& features,
                         const FrontendFacts& facts,
                         Attributes& attrs) {
  if (!options.attests.empty() && !features.attestations) {
    const std::string& type = options.attests.begin()->first;
    const bool by_folder = type == "sbom" && options.sbom_implied;
    return Fail(
        Error(ErrorCode::kUnsupported, Cat(by_folder ? "--sbom-dir" : "--attest",
                                           ": this builder cannot make attestations (", type, ")"))
            .WithHint("it needs BuildKit 0.11 or newer, and in a Docker Engine the "
                      "containerd image store"));
  }
  for (const auto& [type, wanted] : options.attests)
    attrs[Cat("attest:", type)] = AttestationValue(type, wanted);
  std::string none = Find(facts.environment, "BUILDX_NO_DEFAULT_ATTESTATIONS").value_or("");
  bool said = options.attests.contains("provenance") ||
              options.attests_disabled.contains("provenance") || ParseBool(none).value_or(false);
  if (said || !features.attestations) return {};
  // inline-only: no file of it among those of a local output that nobody asked for, but not in an
  // archive of one platform either.
  attrs["attest:provenance"] = facts.image_of_several ? "mode=min" : "mode=min,inline-only=true";
  return {};
}

/// What else is built from, and what the frontend must know for it.
void AddContexts(const Source& source, const FrontendFacts& facts, Attributes& attrs) {
  std::set<std::string> caps = source.named.caps;
  const auto git = ParseGitUrl(source.context_url);
  if (git && git->has_query) caps.insert("moby.buildkit.frontend.gitquerystring");
  attrs.insert(source.named.attrs.begin(), source.named.attrs.end());
  for (const auto& [name, shared] : source.named.shared_names) {
    if (facts.node_id.empty()) break;
    attrs[Cat("sharedkey:localdir:", name)] = Cat(shared, ":", facts.node_id);
  }
  if (!caps.empty()) attrs["frontend.caps"] = Join({caps.begin(), caps.end()}, ",");
}

/// What the steps may use. Older builders ignore it without a word, so that they are asked whether
/// they know it.
void AddLimits(const options::StepLimits& limits, solve::BuildRequest& request) {
  Attributes& attrs = request.frontend_attrs;
  std::vector<std::string> ulimits;
  for (const auto& [name, values] : limits.ulimits)
    ulimits.push_back(Cat(name, '=', values));
  auto ask_for = [&request](std::string_view capability, std::string_view flags) {
    request.capabilities.push_back(
        {std::string(capability),
         Cat(flags, " no effect: this builder's BuildKit is too old for it"), false});
  };
  if (!ulimits.empty()) {
    attrs["ulimit"] = Join(ulimits, ",");
    ask_for("exec.meta.ulimit", "--ulimit has");
  }
  if (limits.shm_size > 0) {
    attrs["shm-size"] = Cat(limits.shm_size);
    ask_for("exec.mount.tmpfs.size", "--shm-size has");
  }
  if (!limits.cgroup_parent.empty()) {
    attrs["cgroup-parent"] = limits.cgroup_parent;
    // BuildKit 0.8 has exec.cgroup, but a frontend that does not ask for it.
    ask_for("exec.meta.ulimit", "--cgroup-parent has");
  }
  if (limits.resources.empty()) return;
  attrs.insert(limits.resources.begin(), limits.resources.end());
  ask_for("exec.meta.linux.resources", "--resource, --memory and the --cpu flags have");
}

void AddEntitlements(const options::BuildOptions& options, solve::BuildRequest& request) {
  std::vector<std::string> wanted = options.allow;
  if (options.network == "host") wanted.emplace_back("network.host");
  for (std::string& name : wanted) {
    auto& known = request.entitlements;
    if (std::find(known.begin(), known.end(), name) == known.end()) known.push_back(name);
  }
}

}  // namespace

Result<std::vector<Platform>> WantedPlatforms(const options::BuildOptions& options,
                                              const Environment& environment) {
  std::vector<Platform> wanted = options.platforms;
  if (!wanted.empty()) return wanted;
  std::string text = Find(environment, "DOCKER_DEFAULT_PLATFORM").value_or("");
  if (text.empty()) return wanted;
  for (std::string_view part : Split(text, ',')) {
    TRY_ASSIGN(Platform platform, OfSetting("DOCKER_DEFAULT_PLATFORM", ParsePlatform(part)));
    if (std::find(wanted.begin(), wanted.end(), platform) == wanted.end()) {
      wanted.push_back(std::move(platform));
    }
  }
  return wanted;
}

std::vector<std::string> UnknownPlatforms(const options::BuildOptions& options,
                                          const std::vector<Platform>& wanted) {
  const bool flag = !options.platforms.empty();
  std::vector<std::string> lines =
      options::UnknownPlatforms(flag ? "--platform" : "DOCKER_DEFAULT_PLATFORM", wanted);
  std::vector<Platform> annotated;
  for (const options::Annotation& annotation : options.annotations) {
    const std::optional<Platform>& platform = annotation.platform;
    if (platform && !Contains(annotated, *platform)) annotated.push_back(*platform);
  }
  for (std::string& line : options::UnknownPlatforms("--annotation", annotated))
    lines.push_back(std::move(line));
  return lines;
}

Result<> PlanFrontend(const options::BuildOptions& options,
                      const builder::Features& features,
                      const Source& source,
                      const FrontendFacts& facts,
                      solve::BuildRequest& request) {
  Attributes& attrs = request.frontend_attrs;
  Attributes args = BuildArgs(options, facts);
  TRY(ChooseFrontend(args, request));
  for (const auto& [key, value] : args)
    attrs[Cat("build-arg:", key)] = value;
  for (const auto& [key, value] : options.labels)
    attrs[Cat("label:", key)] = value;
  attrs["filename"] = source.filename;
  if (!source.context_url.empty()) attrs["context"] = source.context_url;
  if (source.upload) attrs["context"] = facts.upload_url;
  AddContexts(source, facts, attrs);
  if (source.dockerfile_key) attrs["dockerfilekey"] = "dockerfile";
  if (!options.target.empty()) attrs["target"] = options.target;
  if (options.no_cache) attrs["no-cache"] = "";
  if (!options.no_cache_filter.empty()) attrs["no-cache"] = Join(options.no_cache_filter, ",");
  if (options.pull) {
    attrs["image-resolve-mode"] = "pull";
  } else if (features.engine_store) {
    attrs["image-resolve-mode"] = "local";
  }
  bool forced = options.network == "host" || options.network == "none";
  if (forced) attrs["force-network-mode"] = options.network;
  TRY_ASSIGN(std::string hosts, HostList(options, features));
  if (!hosts.empty()) attrs["add-hosts"] = hosts;
  if (!facts.platforms.empty()) attrs["platform"] = FormatPlatforms(facts.platforms, ",");
  TRY(AddAttestations(options, features, facts, attrs));
  AddEntitlements(options, request);
  AddLimits(options.limits, request);
  request.call = options.call.method;
  return {};
}

}  // namespace depot::plan
