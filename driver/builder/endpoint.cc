#include "driver/builder/endpoint.h"

#include <algorithm>
#include <optional>
#include <vector>

#include <sys/stat.h>

#include "driver/base/encode.h"
#include "driver/base/environment.h"
#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/builder/pem.h"

namespace depot::builder {
namespace {

/// The schemes of self-hosted builders. Those that need a helper program come later.
const std::vector<std::string_view> kSchemes = {"tcp", "unix", "ssh", "docker-container",
                                                "kube-pod"};
const std::vector<std::string_view> kQueryKeys = {"cacert", "cert", "key", "servername"};

/// The four TLS settings, from the URL's query and then the environment; key is one of kQueryKeys.
Result<std::map<std::string, std::string>> TlsSettings(
    std::string_view query, const std::map<std::string, std::string>& environment) {
  std::map<std::string, std::string> settings;
  for (const auto& [key, variable] : {std::pair{"cacert", "DEPOT_BUILDER_CACERT"},
                                      {"cert", "DEPOT_BUILDER_CERT"},
                                      {"key", "DEPOT_BUILDER_KEY"},
                                      {"servername", "DEPOT_BUILDER_SERVERNAME"}}) {
    std::string value = Variable(environment, variable);
    if (!value.empty()) settings[key] = value;
  }
  if (query.empty()) return settings;
  for (std::string_view part : Split(query, '&')) {
    std::size_t equals = part.find('=');
    std::string key(part.substr(0, equals));
    if (std::find(kQueryKeys.begin(), kQueryKeys.end(), key) == kQueryKeys.end()) {
      std::string_view near = Nearest(key, kQueryKeys);
      return Fail(ErrorCode::kUsage,
                  Cat("builder URL: unknown setting \"", Printable(key), '"',
                      near.empty() ? "" : ", did you mean ", near, near.empty() ? "" : "?"));
    }
    settings[key] = equals == std::string_view::npos ? "" : PercentDecode(part.substr(equals + 1));
  }
  return settings;
}

Result<> ApplyTls(Endpoint& endpoint,
                  const std::map<std::string, std::string>& settings,
                  SystemRoots system_roots) {
  endpoint.tls = true;
  rpc::TlsOptions& tls = endpoint.tls_options;
  tls.system_roots = std::move(system_roots);
  tls.alpn = "h2";
  tls.server_name = endpoint.host;
  for (const auto& [key, value] : settings) {
    if (value.empty()) return Fail(ErrorCode::kUsage, Cat("builder URL: ", key, " is empty"));
    if (key == "servername") {
      tls.server_name = value;
      continue;
    }
    TRY_ASSIGN(std::string pem, LoadPem(value, Cat("builder ", key)));
    if (key == "cacert") {
      tls.ca_pem = std::move(pem);
    } else if (key == "cert") {
      tls.certificate_pem = std::move(pem);
    } else {
      tls.key_pem = Secret(std::move(pem));
    }
  }
  if (tls.certificate_pem.empty() != tls.key_pem.empty()) {
    return Fail(ErrorCode::kUsage, tls.key_pem.empty()
                                       ? "builder: a client certificate (cert) needs its key"
                                       : "builder: a client key needs its certificate (cert)");
  }
  Result<> usable = rpc::CheckTlsOptions(tls);
  if (!usable) return Fail(std::move(usable).error().While(Cat("builder ", endpoint.url)));
  return {};
}

/// host:port, [v6]:port; the port is mandatory, as BuildKit has no default one.
Result<> ParseHostPort(std::string_view text, Endpoint& endpoint) {
  std::size_t colon = text.rfind(':');
  std::string_view host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  if (host.find('@') != std::string_view::npos) {
    return Fail(Error(ErrorCode::kUsage,
                      Cat("builder: ", endpoint.url, " names a user, which builders do not know"))
                    .WithHint("write tcp://HOST:PORT; a client certificate says who you are"));
  }
  std::optional<std::uint64_t> port;
  if (colon != std::string_view::npos) port = ParseDecimal(text.substr(colon + 1));
  if (host.empty() || !port || *port == 0 || *port > 65535) {
    return Fail(Error(ErrorCode::kUsage, Cat("builder: ", endpoint.url, " has no host and port"))
                    .WithHint("write tcp://HOST:PORT"));
  }
  endpoint.host = host;
  endpoint.port = static_cast<std::uint16_t>(*port);
  return {};
}

Error BadScheme(std::string_view url, std::string_view scheme) {
  if (scheme == url) {
    return Error(ErrorCode::kUnsupported,
                 Cat("builder: \"", RedactUrls(Printable(url)),
                     "\" is not an endpoint; builder instances by name are not supported yet"))
        .WithHint("use tcp://HOST:PORT or unix:///PATH");
  }
  if (scheme.find('=') != std::string_view::npos) {
    return Error(ErrorCode::kUnsupported, "builder: PLATFORM=URL is not supported yet")
        .WithHint("give one endpoint: tcp://HOST:PORT or unix:///PATH");
  }
  for (std::string_view known : kSchemes) {
    if (scheme == known) {
      return Error(ErrorCode::kUnsupported, Cat("builder: ", scheme, ":// is not supported yet"))
          .WithHint("use tcp://HOST:PORT or unix:///PATH");
    }
  }
  std::string_view near = Nearest(scheme, kSchemes);
  return Error(ErrorCode::kUsage,
               Cat("builder: \"", RedactUrls(Printable(url)), "\" is not an endpoint",
                   near.empty() ? "" : ", did you mean ", near, near.empty() ? "" : "://?"))
      .WithHint("use tcp://HOST:PORT or unix:///PATH");
}

}  // namespace

Result<Endpoint> ParseEndpoint(std::string_view url,
                               const std::map<std::string, std::string>& environment) {
  // The query may be key material: no message shows it.
  std::size_t question = url.find('?');
  std::string_view query = question == std::string_view::npos ? "" : url.substr(question + 1);
  std::string_view address = url.substr(0, question);
  std::size_t separator = address.find("://");
  std::string_view scheme = address.substr(0, separator);
  if (scheme == address || (scheme != "tcp" && scheme != "unix")) {
    return Fail(BadScheme(address, scheme));
  }
  std::string_view rest = address.substr(separator + 3);
  Endpoint endpoint;
  endpoint.url = RedactUrls(Printable(address));
  if (scheme == "unix") {
    if (!query.empty()) {
      return Fail(ErrorCode::kUsage, "builder: a unix socket takes no TLS settings");
    }
    if (!rest.starts_with('/')) {
      return Fail(ErrorCode::kUsage, Cat("builder: ", endpoint.url, " is not an absolute path"));
    }
    endpoint.kind = Endpoint::Kind::kUnix;
    endpoint.path = rest;
    return endpoint;
  }
  endpoint.kind = Endpoint::Kind::kTcp;
  if (rest.ends_with('/')) rest.remove_suffix(1);
  TRY(ParseHostPort(rest, endpoint));
  TRY_ASSIGN(auto settings, TlsSettings(query, environment));
  if (!settings.empty()) {
    SystemRoots roots = FindSystemRoots(Variable(environment, "SSL_CERT_FILE"),
                                        Variable(environment, "SSL_CERT_DIR"));
    TRY(ApplyTls(endpoint, settings, std::move(roots)));
  }
  return endpoint;
}

Result<std::map<std::string, std::string>> ReadPipes(
    std::map<std::string, std::string> environment) {
  for (const auto& [variable, what] : {std::pair{"DEPOT_BUILDER_CACERT", "builder cacert"},
                                       {"DEPOT_BUILDER_CERT", "builder cert"},
                                       {"DEPOT_BUILDER_KEY", "builder key"}}) {
    const auto found = environment.find(variable);
    struct stat status {};
    if (found == environment.end() || ::stat(found->second.c_str(), &status) != 0) continue;
    if (!S_ISFIFO(status.st_mode)) continue;
    TRY_ASSIGN(found->second, LoadPem(found->second, what));
  }
  return environment;
}

}  // namespace depot::builder
