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

struct TlsSetting {
  std::string value;
  std::string variable;  ///< that said it; "" = the address did
};
using TlsSettings = std::map<std::string, TlsSetting>;

/// Those of the query, and of the environment what the query does not say.
TlsSettings TlsSettingsOf(const Settings& query,
                          const std::map<std::string, std::string>& environment) {
  TlsSettings settings;
  for (const auto& [key, value] : query)
    settings.emplace(key, TlsSetting{value, ""});
  for (const auto& [key, variable] : {std::pair{"cacert", "DEPOT_BUILDER_CACERT"},
                                      {"cert", "DEPOT_BUILDER_CERT"},
                                      {"key", "DEPOT_BUILDER_KEY"},
                                      {"servername", "DEPOT_BUILDER_SERVERNAME"}}) {
    std::string value = Variable(environment, variable);
    if (!value.empty()) settings.emplace(key, TlsSetting{std::move(value), variable});
  }
  return settings;
}

Result<std::string> LoadPemOf(const std::string& key,
                              const TlsSetting& setting,
                              const Cancel& cancel) {
  if (setting.variable.empty()) return LoadPem(setting.value, Cat("builder ", key), cancel);
  return OfSetting("", LoadPem(setting.value, setting.variable, cancel));
}

Result<> ApplyTls(Endpoint& endpoint,
                  const TlsSettings& settings,
                  SystemRoots system_roots,
                  const Cancel& cancel) {
  endpoint.tls = true;
  rpc::TlsOptions& tls = endpoint.tls_options;
  tls.system_roots = std::move(system_roots);
  tls.alpn = "h2";
  tls.server_name = endpoint.host;
  std::vector<std::string> variables;
  for (const auto& [key, setting] : settings) {
    if (!setting.variable.empty()) variables.push_back(setting.variable);
    if (key == "servername") {
      tls.server_name = setting.value;
      continue;
    }
    TRY_ASSIGN(std::string pem, LoadPemOf(key, setting, cancel));
    if (key == "cacert") {
      tls.ca_pem = std::move(pem);
    } else if (key == "cert") {
      tls.certificate_pem = std::move(pem);
    } else {
      tls.key_pem = Secret(std::move(pem));
    }
  }
  if (tls.certificate_pem.empty() != tls.key_pem.empty()) {
    return Fail(Error(ErrorCode::kUsage, tls.key_pem.empty()
                                             ? "builder: a client certificate (cert) needs its key"
                                             : "builder: a client key needs its certificate (cert)")
                    .WithHint(Cat("give it as DEPOT_BUILDER_", tls.key_pem.empty() ? "KEY" : "CERT",
                                  ", or in the address"))
                    .At(FailedAt::kSettings));
  }
  const std::string from = variables.empty() ? "" : Cat(" (", Join(variables, ", "), ')');
  return OfSetting(Cat("builder ", endpoint.url, from), rpc::CheckTlsOptions(tls));
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
  const TlsSettings tls = TlsSettingsOf(settings, environment);
  if (tls.empty()) return endpoint;
  SystemRoots roots = FindSystemRoots(Variable(environment, "SSL_CERT_FILE"),
                                      Variable(environment, "SSL_CERT_DIR"));
  TRY(ApplyTls(endpoint, tls, std::move(roots), cancel));
  return endpoint;
}

Result<std::map<std::string, std::string>> ReadPipes(std::map<std::string, std::string> environment,
                                                     const Cancel& cancel) {
  for (const char* variable : {"DEPOT_BUILDER_CACERT", "DEPOT_BUILDER_CERT", "DEPOT_BUILDER_KEY"}) {
    const auto found = environment.find(variable);
    struct stat status {};
    if (found == environment.end() || ::stat(found->second.c_str(), &status) != 0) continue;
    if (!S_ISFIFO(status.st_mode)) continue;
    TRY_ASSIGN(found->second, OfSetting("", LoadPem(found->second, variable, cancel)));
  }
  return environment;
}

}  // namespace depot::builder
