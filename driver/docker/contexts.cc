#include "driver/docker/contexts.h"

#include <algorithm>
#include <filesystem>
#include <optional>

#include "driver/base/host_port.h"
#include "driver/base/json.h"
#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/disk/read_file.h"
#include "driver/oci/digest.h"

namespace depot::docker {
namespace {

constexpr std::string_view kDefaultSocket = "unix:///var/run/docker.sock";
constexpr std::string_view kDefaultContext = "default";

/// A context's name and who named it.
struct Choice {
  std::string name;
  std::string said_by;
};

Result<Choice> ChooseContext(const EngineFlags& flags,
                             const Environment& environment,
                             const ConfigFile& config) {
  if (!flags.context.empty() && !flags.host.empty()) {
    return Fail(ErrorCode::kUsage, "--host and --context name two Engines; give only one of them");
  }
  if (!flags.context.empty()) return Choice{flags.context, "--context"};
  if (!flags.host.empty() || !Variable(environment, "DOCKER_HOST").empty()) {
    return Choice{std::string(kDefaultContext), ""};
  }
  std::string variable = Variable(environment, "DOCKER_CONTEXT");
  if (!variable.empty()) return Choice{variable, "DOCKER_CONTEXT"};
  if (!config.current_context.empty()) {
    return Choice{config.current_context, Cat("currentContext of ", config.path)};
  }
  return Choice{std::string(kDefaultContext), ""};
}

Result<std::string> ReadRequired(const std::string& path) {
  TRY_ASSIGN(std::optional<std::string> text, disk::ReadFileIfThere(path));
  if (!text) {
    return Fail(ErrorCode::kNotFound, Cat("cannot read ", path, ": no such file or directory"));
  }
  return *std::move(text);
}

/// Certificate and key are only of use together.
Result<> TakeClientCertificate(std::optional<std::string> certificate,
                               std::optional<std::string> key,
                               const std::string& where,
                               EngineEndpoint& endpoint) {
  if (certificate.has_value() != key.has_value()) {
    return Fail(ErrorCode::kNotFound,
                Cat(where, " has a client ", certificate ? "certificate" : "key", " but no ",
                    certificate ? "key" : "certificate", " for it"));
  }
  if (!certificate) return {};
  endpoint.certificate_pem = *std::move(certificate);
  endpoint.key_pem = Secret(*std::move(key));
  return {};
}

/// The TLS files of the default context. Only a certificate or key that a flag names must exist.
Result<> ReadFlagTls(const EngineFlags& flags,
                     const Environment& environment,
                     const ConfigFile& config,
                     EngineEndpoint& endpoint) {
  std::string folder = Variable(environment, "DOCKER_CERT_PATH");
  if (folder.empty()) folder = config.directory;
  if (endpoint.verify) {
    std::string path = flags.tls_ca.empty() ? folder + "/ca.pem" : flags.tls_ca;
    Result<std::string> ca = ReadRequired(path);
    if (!ca) {
      // No wrong setting: an Engine in a container beside us writes it as it starts.
      const bool may_come = flags.tls_ca.empty() && ca.error().code() == ErrorCode::kNotFound;
      Error error = Error(ca.error())
                        .WithHint(
                            "TLS to the Docker Engine is asked for; DOCKER_CERT_PATH or "
                            "--tlscacert say where its certificates lie");
      return Fail(may_come ? std::move(error) : std::move(error).At(FailedAt::kSettings));
    }
    endpoint.ca_pem = *std::move(ca);
  }
  auto read = [&](const std::string& flag, const char* name) -> Result<std::optional<std::string>> {
    if (flag.empty()) return disk::ReadFileIfThere(Cat(folder, '/', name));
    TRY_ASSIGN(std::string text, ReadRequired(flag));
    return std::optional(std::move(text));
  };
  TRY_ASSIGN(std::optional<std::string> certificate,
             OfSetting("", read(flags.tls_cert, "cert.pem")));
  TRY_ASSIGN(std::optional<std::string> key, OfSetting("", read(flags.tls_key, "key.pem")));
  return OfSetting("",
                   TakeClientCertificate(std::move(certificate), std::move(key), folder, endpoint));
}

/// TLS is for TCP alone.
bool TakesTls(const EngineEndpoint& endpoint) {
  return endpoint.host.starts_with("tcp://");
}

/// Fills in what may be left out, as docker does (docker/cli opts/hosts.go, ParseHost): the scheme,
/// the host, the port, and the path of the socket.
Result<> CompleteHost(EngineEndpoint& endpoint) {
  constexpr std::string_view kTcp = "tcp://";
  std::string& host = endpoint.host;
  if (host.find("://") == std::string::npos) host.insert(0, kTcp);
  if (host == "unix://") host = kDefaultSocket;
  const bool tcp = host.starts_with(kTcp);
  if (tcp && (host.size() == kTcp.size() || host[kTcp.size()] == ':')) {
    host.insert(kTcp.size(), "localhost");
  }
  TRY_ASSIGN(EngineAddress address, ParseEngineHost(endpoint));
  if (!address.socket_path.empty() || !address.ssh.empty()) return {};
  endpoint.host = Cat("tcp://", JoinHostPort(address.address, std::to_string(address.port)));
  return {};
}

Result<EngineEndpoint> ResolveDefault(const EngineFlags& flags,
                                      const Environment& environment,
                                      const ConfigFile& config) {
  EngineEndpoint endpoint;
  endpoint.context_name = kDefaultContext;
  endpoint.verify = flags.tls_verify || !Variable(environment, "DOCKER_TLS_VERIFY").empty();
  endpoint.tls = endpoint.verify || flags.tls || !Variable(environment, "DOCKER_TLS").empty();
  endpoint.host = Trim(flags.host.empty() ? Variable(environment, "DOCKER_HOST") : flags.host);
  if (endpoint.host.empty()) endpoint.host = endpoint.tls ? "tcp://localhost" : kDefaultSocket;
  TRY(OfSetting(flags.host.empty() ? "DOCKER_HOST" : "--host", CompleteHost(endpoint)));
  if (!TakesTls(endpoint)) endpoint.tls = false;
  if (!endpoint.tls) {
    endpoint.verify = true;
    return endpoint;
  }
  TRY(ReadFlagTls(flags, environment, config, endpoint));
  return endpoint;
}

/// Names of the contexts that there are, "default" first.
std::vector<std::string> KnownContexts(const ConfigFile& config) {
  std::vector<std::string> names;
  std::error_code error;
  std::filesystem::directory_iterator folder(config.directory + "/contexts/meta", error);
  for (; !error && folder != std::filesystem::directory_iterator(); folder.increment(error)) {
    Result<std::optional<std::string>> text =
        disk::ReadFileIfThere((folder->path() / "meta.json").string());
    if (!text || !*text) continue;
    Result<Json> json = Json::Parse(**text);
    if (json && (*json)["Name"].is_string()) names.push_back((*json)["Name"].AsString());
  }
  std::sort(names.begin(), names.end());
  names.insert(names.begin(), std::string(kDefaultContext));
  return names;
}

Error UnknownContext(const Choice& choice, const ConfigFile& config) {
  std::vector<std::string> known = KnownContexts(config);
  std::string text = Cat("there is no docker context \"", Printable(choice.name), "\" (named by ",
                         choice.said_by, "); there are: ", Printable(Join(known, ", ")));
  std::string_view nearest = Nearest(choice.name, {known.begin(), known.end()});
  Error error(ErrorCode::kNotFound, text);
  if (nearest.empty()) return std::move(error).WithHint("see docker context ls");
  return std::move(error).WithHint(Cat("did you mean ", Printable(nearest), '?'));
}

/// The virtual file layout of a context (docker/cli cli/context/store/metadatastore.go,
/// tlsstore.go).
Result<EngineEndpoint> ResolveStored(const Choice& choice, const ConfigFile& config) {
  std::string id = Sha256Hex(choice.name);
  std::string path = Cat(config.directory, "/contexts/meta/", id, "/meta.json");
  TRY_ASSIGN(std::optional<std::string> text, disk::ReadFileIfThere(path));
  if (!text) return Fail(UnknownContext(choice, config));
  Result<Json> json = Json::Parse(*text);
  if (!json) return Fail(Error(json.error()).While(path));
  Json docker = (*json)["Endpoints"]["docker"];
  if (!docker.is_object()) {
    return Fail(ErrorCode::kInvalid, Cat("docker context \"", Printable(choice.name),
                                         "\" has no docker endpoint (", path, ")"));
  }
  EngineEndpoint endpoint;
  endpoint.context_name = choice.name;
  endpoint.host = docker["Host"].AsString();
  if (endpoint.host.empty()) endpoint.host = kDefaultSocket;
  endpoint.verify = !docker["SkipTLSVerify"].AsBool();

  std::string folder = Cat(config.directory, "/contexts/tls/", id, "/docker");
  TRY_ASSIGN(std::optional<std::string> ca, disk::ReadFileIfThere(folder + "/ca.pem"));
  TRY_ASSIGN(std::optional<std::string> certificate, disk::ReadFileIfThere(folder + "/cert.pem"));
  TRY_ASSIGN(std::optional<std::string> key, disk::ReadFileIfThere(folder + "/key.pem"));
  endpoint.tls = ca || certificate || key || !endpoint.verify;
  Result<> complete = CompleteHost(endpoint);
  if (!complete) {
    return Fail(
        Error(complete.error()).While(Cat("docker context \"", Printable(choice.name), '"')));
  }
  if (!TakesTls(endpoint)) endpoint.tls = false;
  if (!endpoint.tls) {
    endpoint.verify = true;
    return endpoint;
  }
  endpoint.ca_pem = std::move(ca).value_or("");
  TRY(TakeClientCertificate(std::move(certificate), std::move(key), folder, endpoint));
  return endpoint;
}

/// A blank ends a URL, but not a login that was meant to be one.
std::string Shown(std::string host) {
  const std::size_t login = host.rfind('@');
  const std::size_t scheme = host.find("://");
  const bool odd = host.find_first_of(" \t\"'`<>") != std::string::npos;
  if (odd && scheme != std::string::npos && login != std::string::npos && login > scheme) {
    host.replace(scheme + 3, login - scheme - 3, "xxxxx");
  }
  return RedactUrls(Printable(host));
}

Error UnsupportedHost(const std::string& host) {
  std::string scheme = host.substr(0, host.find("://"));
  return Error(ErrorCode::kUnsupported,
               Cat("the Docker Engine at ", Shown(host), " cannot be reached: ", Printable(scheme),
                   ":// is not supported"))
      .WithHint("use a unix://, tcp:// or ssh:// address");
}

}  // namespace

Result<EngineEndpoint> ResolveEngine(const EngineFlags& flags,
                                     const Environment& environment,
                                     const ConfigFile& config) {
  TRY_ASSIGN(Choice choice, OfSetting("", ChooseContext(flags, environment, config)));
  TRY_ASSIGN(EngineEndpoint endpoint, choice.name == kDefaultContext
                                          ? ResolveDefault(flags, environment, config)
                                          : OfSetting("", ResolveStored(choice, config)));
  if (endpoint.tls) {
    endpoint.system_roots = FindSystemRoots(Variable(environment, "SSL_CERT_FILE"),
                                            Variable(environment, "SSL_CERT_DIR"));
  }
  for (const auto& [name, value] : config.http_headers) {
    endpoint.headers.emplace_back(name, Secret(value));
  }
  return endpoint;
}

Result<EngineAddress> ParseEngineHost(const EngineEndpoint& endpoint) {
  EngineAddress address;
  std::string_view host = endpoint.host;
  auto invalid = [&](std::string_view why) {
    return Error(ErrorCode::kInvalid,
                 Cat("the Docker Engine's address \"", Shown(endpoint.host), "\" ", why));
  };
  if (Printable(host) != host) return Fail(invalid("has characters that no address has"));
  if (host.starts_with("unix://")) {
    address.socket_path = host.substr(7);
    if (!address.socket_path.starts_with('/')) return Fail(invalid("needs an absolute path"));
    return address;
  }
  if (host.starts_with("ssh://")) {
    address.ssh = host.substr(6);
    if (address.ssh.empty()) return Fail(invalid("has no host"));
    const std::string_view place = host.substr(6, host.find('/', 6) - 6);
    if (place.substr(0, place.rfind('@') + 1).find(':') != std::string_view::npos) {
      return Fail(invalid("holds a password")
                      .WithHint("ssh logs in with a key, from its agent or its configuration"));
    }
    return address;
  }
  if (!host.starts_with("tcp://")) return Fail(UnsupportedHost(endpoint.host));
  host.remove_prefix(6);
  if (host.ends_with('/')) host.remove_suffix(1);
  if (host.find_first_of("/?#@ \\") != std::string_view::npos) {
    Error wrong = invalid("must be tcp://HOST:PORT and nothing more");
    if (!host.ends_with(".sock")) return Fail(std::move(wrong));
    const std::string_view path = host.substr(std::min(host.find('/'), host.size()));
    return Fail(std::move(wrong).WithHint(Cat("did you mean unix://", path, '?')));
  }
  const HostPort parts = SplitHostPort(host);
  const std::string_view port = parts.port.value_or(endpoint.tls ? "2376" : "2375");
  const std::optional<std::uint16_t> number = ParsePort(port);
  if (!number) return Fail(invalid("has a port that is no number from 1 to 65535"));
  if (parts.host.empty() || parts.host.find_first_of("[]") != std::string_view::npos) {
    return Fail(invalid("has no host"));
  }
  address.port = *number;
  address.address = parts.host;
  return address;
}

std::string HintForUnreachable(const EngineEndpoint& endpoint, const Error& error) {
  std::string hint = "is the Docker daemon running?";
  const bool refused = error.message().find("refused") != std::string::npos;
  if (refused && endpoint.host.starts_with("unix://")) {
    hint += " Its socket is there, but nobody listens on it: start the daemon.";
  }
  return hint + " DOCKER_HOST, --host or a docker context say which Engine is meant";
}

}  // namespace depot::docker
