#include "driver/builder/program.h"

#include <algorithm>
#include <optional>

#include "driver/base/host_port.h"
#include "driver/base/shown.h"
#include "driver/base/text.h"

namespace depot::builder {
namespace {

constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz";
constexpr std::string_view kUpper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
constexpr std::string_view kDigits = "0123456789";
constexpr std::size_t kMaxName = 255;

bool Has(std::string_view set, char c) {
  return set.find(c) != std::string_view::npos;
}

/// Letters, digits and `others`; the first is a letter, a digit or one of `first`, never a dash.
bool IsName(std::string_view text, std::string_view others, std::string_view first = "") {
  auto plain = [](char c) { return Has(kLetters, c) || Has(kUpper, c) || Has(kDigits, c); };
  if (text.empty() || text.size() > kMaxName) return false;
  if (!plain(text.front()) && !Has(first, text.front())) return false;
  return std::all_of(text.begin(), text.end(), [&](char c) { return plain(c) || Has(others, c); });
}

/// Kubernetes' names (RFC 1123).
bool IsKubeName(std::string_view text) {
  auto fits = [](char c) { return Has(kLetters, c) || Has(kDigits, c) || c == '-' || c == '.'; };
  return !text.empty() && text.size() <= kMaxName && text.front() != '-' &&
         std::all_of(text.begin(), text.end(), fits);
}

/// For the part of an argument behind an equals sign, which can be nothing but a value.
bool IsValue(std::string_view text) {
  return !text.empty() && text.size() < 4096 && std::none_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) < ' ' || c == '\x7f';
  });
}

bool IsSocketPath(std::string_view text) {
  return text.starts_with('/') && text.size() <= 100 && IsName(text.substr(1), "/._-+@:,", "._");
}

std::string Quoted(std::string_view text) {
  return Cat('"', Printable(text.substr(0, kMaxName)), '"');
}

auto Wrong(std::string_view what, std::string_view text) {
  return Fail(ErrorCode::kUsage, Cat("builder: ", Quoted(text), " is not ", what));
}

const std::string& Setting(const Settings& settings, const std::string& key) {
  static const std::string kNone;
  auto found = settings.find(key);
  return found == settings.end() ? kNone : found->second;
}

bool IsContainer(std::string_view text) {
  return IsName(text, "_.-");
}

const Command kDialStdio = {"buildctl", "dial-stdio"};

void Append(Command& to, const Command& words) {
  to.insert(to.end(), words.begin(), words.end());
}

/// "PROGRAM exec [OPTION=VALUE] -i NAME buildctl dial-stdio".
Result<> ParseContainer(const std::string& program,
                        std::string_view name,
                        const std::string& option,
                        Endpoint& endpoint) {
  if (!IsContainer(name)) return Wrong("the name of a container", name);
  endpoint.program = {program, "exec"};
  if (!option.empty()) endpoint.program.push_back(option);
  Append(endpoint.program, {"-i", std::string(name)});
  Append(endpoint.program, kDialStdio);
  return {};
}

}  // namespace

Result<SshPlace> ParseSshPlace(std::string_view rest) {
  SshPlace place;
  // What is behind them may be a secret, and is not shown.
  if (rest.find_first_of("?#") != std::string_view::npos) {
    return Fail(ErrorCode::kUsage, "builder: an ssh:// address ends with the path of a socket");
  }
  if (std::size_t slash = rest.find('/'); slash != std::string_view::npos) {
    if (slash + 1 < rest.size()) place.path = rest.substr(slash);
    rest = rest.substr(0, slash);
  }
  if (std::size_t at = rest.rfind('@'); at != std::string_view::npos) {
    std::string_view user = rest.substr(0, at);
    // What is behind the colon must not be shown.
    if (user.find(':') != std::string_view::npos) {
      return Fail(Error(ErrorCode::kUsage, "builder: an ssh:// address holds no password")
                      .WithHint("ssh logs in with a key, from its agent or its configuration"));
    }
    if (!IsName(user, "._+@-", "_")) return Wrong("the name of a user", user);
    place.user = user;
    rest = rest.substr(at + 1);
  }
  const HostPort parts = SplitHostPort(rest);
  if (parts.port) {
    std::optional<std::uint16_t> port = ParsePort(*parts.port);
    if (!port) return Wrong("a port", *parts.port);
    place.port = std::to_string(*port);
  }
  if (!IsName(parts.host, parts.brackets ? ":.%" : "._-", parts.brackets ? ":" : "_")) {
    return Wrong("a host", parts.host);
  }
  place.host = parts.host;
  if (!place.path.empty() && !IsSocketPath(place.path)) {
    return Wrong("the path of a socket", place.path);
  }
  return place;
}

Command SshCommand(const SshPlace& place, const Command& remote) {
  Command command = {"ssh"};
  if (!place.user.empty()) Append(command, {"-l", place.user});
  if (!place.port.empty()) Append(command, {"-p", place.port});
  Append(command, {"-o", "ConnectTimeout=30", "-T", "--", place.host});
  Append(command, remote);
  return command;
}

Result<Command> DockerExec(std::string_view engine, std::string_view container) {
  if (!IsContainer(container)) return Wrong("the name of a container", container);
  Command command = {"docker"};
  if (engine.find("://") != std::string_view::npos) {
    if (!IsValue(engine))
      return Wrong("the address of a Docker Engine", RedactUrls(std::string(engine)));
    command.push_back(Cat("--host=", engine));
  } else if (!engine.empty()) {
    if (!IsName(engine, "_.+-")) return Wrong("the name of a docker context", engine);
    command.push_back(Cat("--context=", engine));
  }
  Append(command, {"exec", "-i", std::string(container)});
  Append(command, kDialStdio);
  return command;
}

Result<Command> KubectlExec(const KubePlace& place) {
  constexpr std::string_view kDeployment = "deployment/";
  constexpr std::string_view kSet = "statefulset/";
  std::string_view name = place.target;
  for (std::string_view kind : {kDeployment, kSet}) {
    if (name.starts_with(kind)) name.remove_prefix(kind.size());
  }
  if (!IsKubeName(name)) return Wrong("the name of a pod", place.target);
  Command command = {"kubectl"};
  auto add = [&](std::string_view option, const std::string& value, bool fits) {
    if (!value.empty()) command.push_back(Cat("--", option, '=', value));
    return value.empty() || fits;
  };
  if (!add("kubeconfig", place.kubeconfig, IsValue(place.kubeconfig))) {
    return Wrong("a path", place.kubeconfig);
  }
  if (!add("context", place.context, IsValue(place.context))) {
    return Wrong("the name of a context", place.context);
  }
  if (!add("namespace", place.name_space, IsKubeName(place.name_space))) {
    return Wrong("the name of a namespace", place.name_space);
  }
  command.emplace_back("exec");
  if (!add("container", place.container, IsKubeName(place.container))) {
    return Wrong("the name of a container", place.container);
  }
  Append(command, {"-i", place.target, "--"});
  Append(command, kDialStdio);
  return command;
}

Result<> ParseSsh(std::string_view rest, const Settings& /*settings*/, Endpoint& endpoint) {
  TRY_ASSIGN(SshPlace place, ParseSshPlace(rest));
  Command remote = {"buildctl"};
  if (!place.path.empty()) Append(remote, {"--addr", Cat("unix://", place.path)});
  remote.emplace_back("dial-stdio");
  endpoint.program = SshCommand(place, remote);
  // Every part of it is a plain name, and none a password.
  endpoint.url = Cat("ssh://", rest);
  return {};
}

Result<> ParseDockerContainer(std::string_view rest, const Settings& settings, Endpoint& endpoint) {
  const std::string& context = Setting(settings, "context");
  if (context.find("://") != std::string::npos)
    return Wrong("the name of a docker context", context);
  TRY_ASSIGN(endpoint.program, DockerExec(context, rest));
  return {};
}

Result<> ParsePodmanContainer(std::string_view rest,
                              const Settings& /*settings*/,
                              Endpoint& endpoint) {
  return ParseContainer("podman", rest, "", endpoint);
}

Result<> ParseNerdctlContainer(std::string_view rest,
                               const Settings& settings,
                               Endpoint& endpoint) {
  const std::string& name = Setting(settings, "namespace");
  if (!name.empty() && !IsName(name, "_.-")) return Wrong("the name of a namespace", name);
  return ParseContainer("nerdctl", rest, name.empty() ? "" : Cat("--namespace=", name), endpoint);
}

Result<> ParseKubePod(std::string_view rest, const Settings& settings, Endpoint& endpoint) {
  KubePlace place;
  place.target = rest;
  if (!IsKubeName(rest)) return Wrong("the name of a pod", rest);
  place.context = Setting(settings, "context");
  place.name_space = Setting(settings, "namespace");
  place.container = Setting(settings, "container");
  TRY_ASSIGN(endpoint.program, KubectlExec(place));
  return {};
}

}  // namespace depot::builder
