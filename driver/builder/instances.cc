#include "driver/builder/instances.h"

#include <algorithm>

#include "driver/base/encode.h"
#include "driver/base/json.h"
#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/builder/instance_store.h"
#include "driver/builder/program.h"
#include "driver/disk/read_file.h"
#include "driver/docker/contexts.h"
#include "driver/oci/digest.h"

namespace depot::builder {
namespace {

constexpr std::size_t kMaxNodes = 100;

std::string QuotedName(std::string_view text) {
  return Cat('"', Printable(text.substr(0, 200)), '"');
}

auto Unusable(std::string_view node, std::string_view why) {
  return Fail(ErrorCode::kUnsupported, Cat("node ", QuotedName(node), ' ', why));
}

std::string Folder(const InstanceFacts& facts) {
  return BuildxFolder(facts.environment, facts.config_directory);
}

Result<std::vector<Platform>> PlatformsOf(const Json& node) {
  std::vector<Platform> platforms;
  Json list = node["Platforms"];
  for (std::size_t i = 0; i < std::min(list.size(), kMaxNodes); ++i) {
    std::string text = Cat(list[i]["os"].AsString(), '/', list[i]["architecture"].AsString());
    std::string variant = list[i]["variant"].AsString();
    if (!variant.empty()) text += Cat('/', variant);
    TRY_ASSIGN(Platform platform, ParsePlatform(text));
    if (std::find(platforms.begin(), platforms.end(), platform) == platforms.end()) {
      platforms.push_back(std::move(platform));
    }
  }
  return platforms;
}

/// buildx driver/remote/factory.go: any TLS option switches TLS on, which then needs an authority.
Result<> ReadRemote(const Json& node, InstanceNode& into, const Cancel& cancel) {
  Json options = node["DriverOpts"];
  Environment tls;
  for (const auto& [option, variable] : {std::pair{"cacert", "DEPOT_BUILDER_CACERT"},
                                         {"cert", "DEPOT_BUILDER_CERT"},
                                         {"key", "DEPOT_BUILDER_KEY"},
                                         {"servername", "DEPOT_BUILDER_SERVERNAME"}}) {
    std::string value = options[option].AsString();
    if (value.empty()) continue;
    if (std::string_view(option) != "servername" && !value.starts_with('/')) {
      return Unusable(into.name, Cat("has a ", option, " that is not an absolute path"));
    }
    tls[variable] = std::move(value);
  }
  if (!tls.empty() && !tls.contains("DEPOT_BUILDER_CACERT")) {
    return Unusable(into.name, "has TLS options, but no cacert");
  }
  TRY_ASSIGN(into.endpoint, ParseEndpoint(node["Endpoint"].AsString(), tls, cancel));
  if (tls.empty() || into.endpoint.scheme == "tcp") return {};
  return Unusable(into.name, Cat("wants TLS over ", into.endpoint.scheme, "://"));
}

Result<> ReadContainer(const Json& node, InstanceNode& into) {
  const std::string engine = node["Endpoint"].AsString();
  const std::string container = Cat("buildx_buildkit_", into.name);
  TRY_ASSIGN(into.endpoint.program, DockerExec(engine, container));
  into.endpoint.scheme = "docker-container";
  into.endpoint.url = Cat("docker-container://", container);
  return {};
}

/// The value of a query's key, decoded; "" = none.
std::string QueryValue(std::string_view url, std::string_view key) {
  std::size_t question = url.find('?');
  if (question == std::string_view::npos) return "";
  for (std::string_view part : Split(url.substr(question + 1), '&')) {
    std::size_t equals = part.find('=');
    if (equals != std::string_view::npos && part.substr(0, equals) == key) {
      return PercentDecode(part.substr(equals + 1));
    }
  }
  return "";
}

/// Its pods belong to a deployment, or with a volume of its own to a stateful set, of the node's
/// name (buildx driver/kubernetes/factory.go, manifest/manifest.go).
Result<> ReadKubernetes(const Json& node, InstanceNode& into) {
  Json options = node["DriverOpts"];
  std::string name = into.name;
  std::replace(name.begin(), name.end(), '_', '-');
  const bool keeps = !options["persistent-volume-claim.requests.storage"].AsString().empty();
  KubePlace place;
  place.target = Cat(keeps ? "statefulset/" : "deployment/", name);
  place.container = "buildkitd";
  place.name_space = options["namespace"].AsString();
  place.kubeconfig = QueryValue(node["Endpoint"].AsString(), "kubeconfig");
  TRY_ASSIGN(into.endpoint.program, KubectlExec(place));
  into.endpoint.scheme = "kubernetes";
  into.endpoint.url = Cat("kubernetes://", name);
  return {};
}

Result<InstanceNode> ReadNode(const Json& json, const std::string& driver, const Cancel& cancel) {
  InstanceNode node;
  node.name = json["Name"].AsString();
  if (node.name.empty()) return Fail(ErrorCode::kInvalid, "a node has no name");
  TRY_ASSIGN(node.platforms, PlatformsOf(json));
  Result<> read = driver == "remote"             ? ReadRemote(json, node, cancel)
                  : driver == "docker-container" ? ReadContainer(json, node)
                                                 : ReadKubernetes(json, node);
  if (!read) return Fail(std::move(read).error());
  return node;
}

/// It is the Engine in use, or it cannot be used: images are loaded into the one in use.
Result<> CheckIsEngine(std::string_view context, const InstanceFacts& facts) {
  const docker::EngineEndpoint& engine = facts.engine;
  if (context.empty() || context == engine.context_name || context == engine.host) return {};
  return Fail(
      Error(ErrorCode::kUnsupported, Cat("it is the Docker Engine of the context ",
                                         QuotedName(context), ", and another one is in use"))
          .WithHint(Cat("use docker --context=", Printable(context), " depot build")));
}

Error NoSuchBuilder(std::string_view name, const InstanceFacts& facts) {
  std::vector<std::string> known = InstanceStore(Folder(facts)).Names();
  std::string there = known.empty() ? "there are none in " + Printable(Folder(facts))
                                    : "there are: " + Join(known, ", ");
  // A login without a scheme was to be an address.
  const std::size_t login =
      name.find("://") == std::string_view::npos ? name.rfind('@') : name.npos;
  const std::string shown =
      login == name.npos ? RedactUrls(std::string(name)) : Cat("xxxxx", name.substr(login));
  Error error(ErrorCode::kNotFound, Cat("no builder ", QuotedName(shown), " found; ", there));
  std::string_view near = Nearest(name, {known.begin(), known.end()});
  if (!near.empty()) return std::move(error).WithHint(Cat("did you mean ", near, '?'));
  return std::move(error).WithHint(
      "a builder is named by its address (tcp://HOST:PORT and others, see README), or by the name "
      "that `docker buildx ls` shows");
}

/// nullopt when there is no such file.
Result<std::optional<Instance>> ReadInstance(std::string_view name,
                                             const InstanceFacts& facts,
                                             const Cancel& cancel) {
  if (!IsInstanceName(name)) return std::nullopt;
  const std::string path = Cat(Folder(facts), "/instances/", LowerAscii(name));
  TRY_ASSIGN(std::optional<std::string> text, disk::ReadFileIfThere(path));
  if (!text) return std::nullopt;
  Result<Instance> instance = ParseInstance(*text, facts, cancel);
  if (instance) return *std::move(instance);
  return Fail(
      std::move(instance).error().While(Cat("the builder ", QuotedName(name), " of docker buildx (",
                                            Printable(path), ") cannot be used")));
}

/// kubectl chooses the pod, where buildx has two ways of its own (driver/kubernetes/podchooser).
void SayLoadBalance(const Json& node, Instance& instance) {
  const std::string said = node["DriverOpts"]["loadbalance"].AsString();
  if (said.empty()) return;
  instance.notices.push_back(Cat("the loadbalance=", Printable(said.substr(0, 100)),
                                 " of the node ", Printable(instance.nodes.back().name),
                                 " has no effect: kubectl chooses the pod"));
}

}  // namespace

std::string EngineKey(const docker::EngineEndpoint& engine) {
  return engine.context_name == "default" ? engine.host : engine.context_name;
}

std::string BuildxFolder(const Environment& environment, const std::string& config_directory) {
  std::string said = Variable(environment, "BUILDX_CONFIG");
  return said.empty() ? Cat(config_directory, "/buildx") : said;
}

Result<Instance> ParseInstance(std::string_view json,
                               const InstanceFacts& facts,
                               const Cancel& cancel) {
  TRY_ASSIGN(Json file, Json::Parse(json));
  Instance instance;
  instance.name = file["Name"].AsString();
  const std::string driver = file["Driver"].AsString();
  Json nodes = file["Nodes"];
  if (!nodes.is_array() || nodes.size() == 0) {
    return Fail(ErrorCode::kInvalid, "it has no nodes");
  }
  if (nodes.size() > kMaxNodes) return Fail(ErrorCode::kInvalid, "it has more than 100 nodes");
  if (driver == "docker") {
    TRY(CheckIsEngine(nodes[std::size_t{0}]["Endpoint"].AsString(), facts));
    instance.engine = true;
    return instance;
  }
  if (driver != "remote" && driver != "docker-container" && driver != "kubernetes") {
    return Fail(
        Error(ErrorCode::kUnsupported, Cat("its driver ", QuotedName(driver), " is not known here"))
            .WithHint("known are docker, docker-container, kubernetes and remote"));
  }
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    TRY_ASSIGN(InstanceNode node, ReadNode(nodes[i], driver, cancel));
    instance.nodes.push_back(std::move(node));
    if (driver == "kubernetes") SayLoadBalance(nodes[i], instance);
    std::string load = nodes[i]["DriverOpts"]["default-load"].AsString();
    instance.default_load |= ParseBool(load).value_or(false);
  }
  return instance;
}

Result<Instance> FindInstance(std::string_view name,
                              const InstanceFacts& facts,
                              const Cancel& cancel) {
  TRY_ASSIGN(std::optional<Instance> found, ReadInstance(name, facts, cancel));
  if (found) return *std::move(found);
  Instance engine;
  engine.name = name;
  engine.engine = true;
  if (name == facts.engine.context_name) return engine;
  docker::EngineFlags flags;
  flags.context = name;
  docker::ConfigFile config;
  config.directory = facts.config_directory;
  if (name.empty() || !docker::ResolveEngine(flags, facts.environment, config)) {
    return Fail(NoSuchBuilder(name, facts));
  }
  Result<> in_use = CheckIsEngine(name, facts);
  if (!in_use) return Fail(std::move(in_use).error().While(Cat("builder ", QuotedName(name))));
  return engine;
}

namespace {

Result<std::optional<Instance>> ReadCurrent(const InstanceFacts& facts, const Cancel& cancel) {
  const std::string folder = Folder(facts);
  const std::string key = EngineKey(facts.engine);
  TRY_ASSIGN(std::optional<std::string> text, disk::ReadFileIfThere(folder + "/current"));
  if (text && !Trim(*text).empty()) {
    Result<Json> current = Json::Parse(*text);
    if (!current) return Fail(std::move(current).error().While(Printable(folder) + "/current"));
    const std::string name = (*current)["Name"].AsString();
    const bool ours = (*current)["Key"].AsString() == key;
    if (!name.empty() && (ours || (*current)["Global"].AsBool())) {
      TRY_ASSIGN(std::optional<Instance> instance, ReadInstance(name, facts, cancel));
      if (instance || ours) return instance;
    }
  }
  TRY_ASSIGN(text, disk::ReadFileIfThere(Cat(folder, "/defaults/", Sha256Hex(key).substr(0, 20))));
  if (!text) return std::nullopt;
  return ReadInstance(Trim(*text), facts, cancel);
}

}  // namespace

Result<std::optional<Instance>> CurrentInstance(const InstanceFacts& facts, const Cancel& cancel) {
  auto current = ReadCurrent(facts, cancel);
  if (current || cancel.cancelled() || !current.error().hint().empty()) return current;
  return Fail(std::move(current).error().WithHint(
      "the builder that docker buildx has in use is not known so: name one (--builder, "
      "DEPOT_BUILDER), choose one (docker depot use NAME), or remove the file"));
}

Result<std::optional<NamedBuilder>> BuilderOfEnvironment(const InstanceFacts& facts,
                                                         const Cancel& cancel) {
  const std::string name = TrimmedVariable(facts.environment, "BUILDX_BUILDER");
  if (!name.empty()) {
    Result<Instance> instance = FindInstance(name, facts, cancel);
    if (!instance) return Fail(std::move(instance).error().While("BUILDX_BUILDER"));
    return NamedBuilder{*std::move(instance), "BUILDX_BUILDER"};
  }
  const std::string host = TrimmedVariable(facts.environment, "BUILDKIT_HOST");
  if (!host.empty()) {
    TRY_ASSIGN(Endpoint endpoint,
               OfSetting("BUILDKIT_HOST", ParseEndpoint(host, facts.environment, cancel)));
    Instance instance;
    instance.name = endpoint.url;
    instance.nodes.push_back({endpoint.url, std::move(endpoint), {}});
    return NamedBuilder{std::move(instance), "BUILDKIT_HOST"};
  }
  TRY_ASSIGN(std::optional<Instance> current, CurrentInstance(facts, cancel));
  if (!current) return std::nullopt;
  std::string said_by = Cat("docker buildx use ", Printable(current->name));
  return NamedBuilder{*std::move(current), std::move(said_by)};
}

}  // namespace depot::builder
