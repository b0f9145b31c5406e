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
#include "driver/builder/schemes.h"

namespace depot::builder {
namespace {

/// The settings of a URL's query, decoded; keys that the scheme does not know are errors.
Result<Settings> ParseQuery(std::string_view query, const Scheme& scheme) {
  Settings settings;
  if (query.empty()) return settings;
  for (std::string_view part : Split(query, '&')) {
    std::size_t equals = part.find('=');
    std::string key(part.substr(0, equals));
    const auto& known = scheme.settings;
    if (known.empty()) {
      return Fail(Error(ErrorCode::kUsage, Cat("builder: ", scheme.name, ":// takes no settings"))
                      .WithHint(Cat("write ", scheme.form)));
    }
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      std::string_view near = Nearest(key, known);
      return Fail(ErrorCode::kUsage,
                  Cat("builder URL: unknown setting \"", Printable(key), '"',
                      near.empty() ? "" : ", did you mean ", near, near.empty() ? "" : "?"));
    }
    std::string value =
        equals == std::string_view::npos ? "" : PercentDecode(part.substr(equals + 1));
    if (value.empty()) return Fail(ErrorCode::kUsage, Cat("builder URL: ", key, " is empty"));
    settings[key] = std::move(value);
  }
  return settings;
}

/// Adds what the query did not say of the TLS settings.
void AddEnvironment(const std::map<std::string, std::string>& environment, Settings& settings) {
  for (const auto& [key, variable] : {std::pair{"cacert", "DEPOT_BUILDER_CACERT"},
                                      {"cert", "DEPOT_BUILDER_CERT"},
                                      {"key", "DEPOT_BUILDER_KEY"},
                                      {"servername", "DEPOT_BUILDER_SERVERNAME"}}) {
    std::string value = Variable(environment, variable);
    if (!value.empty()) settings.emplace(key, std::move(value));
  }
}

Result<> ApplyTls(Endpoint& endpoint,
                  const Settings& settings,
                  SystemRoots system_roots,
                  const Cancel& cancel) {
  endpoint.tls = true;
  rpc::TlsOptions& tls = endpoint.tls_options;
  tls.system_roots = std::move(system_roots);
  tls.alpn = "h2";
  tls.server_name = endpoint.host;
  for (const auto& [key, value] : settings) {
    if (key == "servername") {
      tls.server_name = value;
      continue;
    }
    TRY_ASSIGN(std::string pem, LoadPem(value, Cat("builder ", key), cancel));
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

Error BadScheme(std::string_view url, std::string_view scheme) {
  const std::string hint = Cat("write ", SchemeForms());
  if (scheme.find('=') != std::string_view::npos) {
    return Error(ErrorCode::kUsage, "builder: one address is wanted here, not PLATFORM=URL")
        .WithHint(hint);
  }
  std::vector<std::string_view> names;
  for (const Scheme& known : Schemes())
    names.push_back(known.name);
  std::string_view near = Nearest(scheme, names);
  return Error(ErrorCode::kUsage,
               Cat("builder: \"", RedactUrls(Printable(url)), "\" is not an endpoint",
                   near.empty() ? "" : ", did you mean ", near, near.empty() ? "" : "://?"))
      .WithHint(hint);
}

}  // namespace

Result<Endpoint> ParseEndpoint(std::string_view url,
                               const std::map<std::string, std::string>& environment,
                               const Cancel& cancel) {
  // The query may be key material: no message shows it.
  std::size_t question = url.find('?');
  std::string_view query = question == std::string_view::npos ? "" : url.substr(question + 1);
  std::string_view address = url.substr(0, question);
  std::size_t separator = address.find("://");
  std::string_view name = address.substr(0, separator);
  const Scheme* scheme = separator == std::string_view::npos ? nullptr : FindScheme(name);
  if (scheme == nullptr) return Fail(BadScheme(address, name));
  Endpoint endpoint;
  endpoint.scheme = name;
  endpoint.url = RedactUrls(Printable(address));
  if (Printable(address) != address) {
    return Fail(ErrorCode::kUsage,
                Cat("builder: \"", endpoint.url, "\" has characters that no address has"));
  }
  TRY_ASSIGN(Settings settings, ParseQuery(query, *scheme));
  TRY(scheme->parse(address.substr(separator + 3), settings, endpoint));
  if (name != "tcp") return endpoint;
  AddEnvironment(environment, settings);
  if (settings.empty()) return endpoint;
  SystemRoots roots = FindSystemRoots(Variable(environment, "SSL_CERT_FILE"),
                                      Variable(environment, "SSL_CERT_DIR"));
  TRY(ApplyTls(endpoint, settings, std::move(roots), cancel));
  return endpoint;
}

Result<std::map<std::string, std::string>> ReadPipes(std::map<std::string, std::string> environment,
                                                     const Cancel& cancel) {
  for (const auto& [variable, what] : {std::pair{"DEPOT_BUILDER_CACERT", "builder cacert"},
                                       {"DEPOT_BUILDER_CERT", "builder cert"},
                                       {"DEPOT_BUILDER_KEY", "builder key"}}) {
    const auto found = environment.find(variable);
    struct stat status {};
    if (found == environment.end() || ::stat(found->second.c_str(), &status) != 0) continue;
    if (!S_ISFIFO(status.st_mode)) continue;
    TRY_ASSIGN(found->second, LoadPem(found->second, what, cancel));
  }
  return environment;
}

}  // namespace depot::builder
