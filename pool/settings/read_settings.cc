#include <algorithm>
#include <set>

#include <arpa/inet.h>

#include "driver/base/host_port.h"
#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/disk/read_file.h"
#include "driver/http/url.h"
#include "driver/oci/reference.h"
#include "pool/settings/fields.h"
#include "pool/settings/settings.h"

namespace depot::settings {
namespace {

constexpr int kMaxSlots = 1000;
constexpr int kMaxWeight = 100;
constexpr int kMaxLimit = 100'000;
constexpr int kMaxHomeWait = 600;
constexpr int kMaxPasses = 1000;
constexpr std::size_t kLongestDnsName = 253;
constexpr int kMaxPort = 65535;

/// What a JWT may be signed with: only algorithms with a public key.
const std::vector<std::string_view>& KnownAlgorithms() {
  static const std::vector<std::string_view> kKnown{"RS256", "RS384", "RS512", "PS256",
                                                    "ES256", "ES384", "EdDSA"};
  return kKnown;
}

/// The values of one key over the items of a list, which must differ.
class Unique {
 public:
  void Add(Fields& fields, std::string_view key, const std::string& value) {
    if (!value.empty() && !seen_.insert(value).second) {
      fields.Wrong(key, Cat(Printable(value), " stands twice"));
    }
  }

 private:
  std::set<std::string> seen_;
};

/// HOST:PORT with a host that has no colon outside of brackets.
bool IsHostAndPort(std::string_view text, int least_port) {
  const HostPort parts = SplitHostPort(text);
  if (parts.host.empty() || !parts.port) return false;
  if (!parts.brackets && parts.host.find_first_of(":/@?#[] ") != std::string_view::npos) {
    return false;
  }
  const std::optional<std::uint64_t> port = ParseDecimal(*parts.port);
  return port && *port >= static_cast<std::uint64_t>(least_port) && *port <= kMaxPort;
}

void CheckProject(Fields& fields,
                  std::string_view key,
                  const Settings& settings,
                  const std::string& id) {
  if (id.empty() || settings.FindProject(id) != nullptr) return;
  std::vector<std::string_view> known;
  for (const ProjectSettings& project : settings.projects)
    known.push_back(project.id);
  const std::string_view nearest = Nearest(id, known);
  fields.Wrong(key,
               Cat("names the project ", Printable(id), ", which `projects` does not have",
                   nearest.empty() ? "" : "; did you mean ", nearest, nearest.empty() ? "" : "?"));
}

/// The text of the file that a key names, without the line's end.
Secret ReadPassword(Fields& fields, std::string_view key) {
  const Secret content(fields.Content(key));
  Secret password(std::string(Trim(content.Reveal())));
  if (password.empty()) fields.Wrong(key, "names an empty file");
  return password;
}

SaveSettings ReadSave(Source& source, const Yaml& node) {
  Fields fields(source, node, "save", {"repository", "username", "password_file"});
  SaveSettings save;
  save.repository = fields.RequiredText("repository");
  Result<Reference> reference = ParseReference(save.repository);
  if (!reference || RepositoryOf(*reference) != save.repository) {
    fields.Wrong("repository", "must be HOST[:PORT]/PATH, without a tag");
  }
  save.username = fields.Text("username");
  const std::string file = fields.Path("password_file");
  if (save.username.empty() != file.empty()) {
    fields.Wrong("username", "and password_file belong together");
  }
  if (!file.empty()) save.password = ReadPassword(fields, "password_file");
  return save;
}

/// Whether the URL of a database has a password in it, which then is where others can read it.
bool HasPassword(std::string_view url) {
  const std::string_view rest = url.substr(url.find("://") + 3);
  const std::string_view host = rest.substr(0, rest.find_first_of("/?"));
  const std::size_t at = host.rfind('@');
  return (at != std::string_view::npos && host.substr(0, at).find(':') != std::string_view::npos) ||
         rest.find("password=") != std::string_view::npos;
}

void ReadStore(Fields& root, Settings& settings) {
  settings.store = root.Text("store");
  if (root.Has("store_password_file")) {
    settings.store_password = ReadPassword(root, "store_password_file");
    if (settings.store.empty()) root.Wrong("store_password_file", "needs `store` beside it");
  }
  if (settings.store.empty()) return;
  if (!settings.store.starts_with("postgres://") && !settings.store.starts_with("postgresql://")) {
    root.Wrong("store", "must be a URL: postgresql://USER@HOST/DATABASE?sslmode=verify-full");
  } else if (HasPassword(settings.store)) {
    root.Wrong("store",
               "has a password in it: put it into a file that `store_password_file` names");
  }
}

void ReadProjects(Source& source, Fields& root, Settings& settings) {
  Unique ids;
  for (const Yaml& item : root.List("projects")) {
    Fields fields(source, item, "projects",
                  {"id", "name", "organization", "weight", "limit", "save"});
    ProjectSettings project;
    project.id = fields.Name("id");
    ids.Add(fields, "id", project.id);
    project.name = fields.Text("name", project.id);
    project.organization = fields.Text("organization");
    project.weight = fields.Number("weight", 1, 1, kMaxWeight);
    project.limit = fields.Number("limit", 0, 1, kMaxLimit);
    if (const Yaml* save = fields.Value("save")) project.save = ReadSave(source, *save);
    settings.projects.push_back(std::move(project));
  }
}

void ReadUsers(Source& source, Fields& root, Settings& settings) {
  Unique names;
  for (const Yaml& item : root.List("users")) {
    Fields fields(source, item, "users", {"name", "projects"});
    UserSettings user;
    user.name = fields.Name("name");
    names.Add(fields, "name", user.name);
    user.projects = fields.Texts("projects");
    for (const std::string& id : user.projects)
      CheckProject(fields, "projects", settings, id);
    settings.users.push_back(std::move(user));
  }
}

void ReadEndpoint(Fields& fields, BuilderSettings& builder) {
  builder.endpoint = fields.RequiredText("endpoint");
  const std::string_view address = std::string_view(builder.endpoint);
  if (!address.starts_with("tcp://") || !IsHostAndPort(address.substr(6), 1)) {
    fields.Wrong("endpoint", "must be tcp://HOST:PORT, as clients reach the builder");
    return;
  }
  builder.server_name = fields.Text("server_name", SplitHostPort(address.substr(6)).host);
}

/// Where a source's builders are found: by addresses, or by SRV records, which have the port.
void ReadDiscovery(Fields& fields, BuilderSettings& builder) {
  if (fields.Has("endpoint") || fields.Has("discover") == fields.Has("srv")) {
    fields.Wrong("endpoint",
                 "goes with neither `discover` nor `srv`, and these exclude each other");
  }
  builder.discover = fields.Text(fields.Has("srv") ? "srv" : "discover");
  if (fields.Has("discover")) {
    const HostPort parts = SplitHostPort(builder.discover);
    const auto port = parts.port ? ParsePort(*parts.port) : std::nullopt;
    if (!port || parts.brackets || !IsHostAndPort(builder.discover, 1)) {
      fields.Wrong("discover", "must be NAME:PORT, a name for DNS");
      return;
    }
    builder.discover_port = *port;
    builder.discover.resize(parts.host.size());
  } else if (builder.discover.find_first_of(":/@ ") != std::string::npos) {
    fields.Wrong("srv", "must be _SERVICE._tcp.NAME, a name for DNS");
  }
  if (builder.discover.size() > kLongestDnsName)
    fields.Wrong("name", "is looked for by a name too long for DNS");
  builder.server_name = fields.RequiredText("server_name");
}

void ReadBuilders(Source& source, Fields& root, Settings& settings) {
  Unique names;
  for (const Yaml& item : root.List("builders")) {
    Fields fields(source, item, "builders",
                  {"name", "platform", "endpoint", "discover", "srv", "server_name", "ca", "slots",
                   "projects"});
    BuilderSettings builder;
    builder.name = fields.Name("name");
    if (builder.name == "." || builder.name == "..") fields.Wrong("name", "must be a name");
    names.Add(fields, "name", builder.name);
    const Result<Platform> platform = ParsePlatform(fields.RequiredText("platform"));
    if (platform) builder.platform = *platform;
    const std::string shown = FormatPlatform(builder.platform);
    if (shown != "linux/amd64" && shown != "linux/arm64") {
      fields.Wrong("platform", "must be linux/amd64 or linux/arm64");
    }
    if (fields.Has("discover") || fields.Has("srv")) {
      ReadDiscovery(fields, builder);
    } else {
      ReadEndpoint(fields, builder);
    }
    builder.ca_pem = fields.Certificates("ca");
    if (builder.ca_pem.empty()) {
      fields.Wrong("ca", "is missing: the certificate of who signed the builder's own");
    }
    builder.slots = fields.Number("slots", 1, 1, kMaxSlots);
    builder.projects = fields.Texts("projects");
    for (const std::string& id : builder.projects)
      CheckProject(fields, "projects", settings, id);
    settings.builders.push_back(std::move(builder));
  }
}

ClaimRule ReadRule(Source& source, const Yaml& node, const Settings& settings) {
  Fields fields(source, node, "allow", {"project", "claims"});
  ClaimRule rule;
  rule.project = fields.RequiredText("project");
  CheckProject(fields, "project", settings, rule.project);
  const Yaml* claims = fields.Value("claims");
  if (claims == nullptr || claims->kind != Yaml::Kind::kMap || claims->keys.empty()) {
    fields.Wrong("claims",
                 "must be a map of at least one claim: without any, whoever has a token "
                 "of this issuer could build");
    return rule;
  }
  for (const auto& [name, value] : claims->keys) {
    if (value.kind != Yaml::Kind::kText || value.text.empty()) {
      source.Wrong(value.line, Cat("claims: ", Printable(name), " must be a text"));
    }
    const std::size_t star = value.text.find('*');
    if (star != std::string::npos && star + 1 != value.text.size()) {
      source.Wrong(value.line, Cat("claims: ", Printable(name), ": * may stand at the end alone"));
    }
    rule.claims[name] = value.text;
  }
  return rule;
}

void ReadAlgorithms(Fields& fields, OidcSettings& oidc) {
  oidc.algorithms = fields.Texts("algorithms");
  for (const std::string& name : oidc.algorithms) {
    const auto& known = KnownAlgorithms();
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    if (name == "none" || name.starts_with("HS")) {
      fields.Wrong("algorithms", Cat(name, " is not accepted: anybody could sign with it"));
    }
    const std::string_view nearest = Nearest(name, known);
    fields.Wrong("algorithms", Cat("has ", Printable(name), ", which is not known",
                                   nearest.empty() ? "" : "; did you mean ", nearest,
                                   nearest.empty() ? "" : "?"));
  }
  if (oidc.algorithms.empty()) oidc.algorithms = {"RS256"};
}

void ReadKeySource(Source& source, Fields& fields, OidcSettings& oidc) {
  const std::string jwks = fields.Text("jwks");
  if (jwks.find("://") == std::string::npos) {
    if (!jwks.empty()) oidc.jwks_file = source.Resolve(jwks);
  } else {
    oidc.jwks_url = jwks;
    if (!http::IsSafeUrl(jwks))
      fields.Wrong("jwks", "must be an https:// URL or the path of a file");
  }
  if (jwks.empty() && !http::IsSafeUrl(oidc.issuer)) {
    fields.Wrong("issuer", "must be an https:// URL, unless `jwks` says where its keys are");
  }
  oidc.ca_pem = fields.Certificates("ca");
}

void ReadOidc(Source& source, Fields& root, Settings& settings) {
  Unique issuers;
  for (const Yaml& item : root.List("oidc")) {
    Fields fields(source, item, "oidc",
                  {"issuer", "audience", "jwks", "ca", "algorithms", "allow"});
    OidcSettings oidc;
    oidc.issuer = fields.RequiredText("issuer");
    issuers.Add(fields, "issuer", oidc.issuer);
    oidc.audience = fields.RequiredText("audience");
    ReadKeySource(source, fields, oidc);
    ReadAlgorithms(fields, oidc);
    for (const Yaml& rule : fields.List("allow"))
      oidc.rules.push_back(ReadRule(source, rule, settings));
    settings.oidc.push_back(std::move(oidc));
  }
}

void ReadTokens(Source& source, Fields& root, Settings& settings) {
  Unique ids;
  Unique hashes;
  for (const Yaml& item : root.List("tokens")) {
    Fields fields(source, item, "tokens",
                  {"id", "sha256", "project", "user", "created", "expires", "revoked"});
    TokenRecord token;
    token.id = fields.Name("id");
    ids.Add(fields, "id", token.id);
    token.sha256 = LowerAscii(fields.RequiredText("sha256"));
    if (token.sha256.size() != 64 ||
        token.sha256.find_first_not_of("0123456789abcdef") != std::string::npos) {
      fields.Wrong("sha256", "must be 64 hex digits");
    }
    hashes.Add(fields, "sha256", token.sha256);
    token.project = fields.Name("project", false);
    token.user = fields.Name("user", false);
    if (token.project.empty() == token.user.empty()) {
      fields.Wrong("id", "needs either `project` or `user` beside it");
    }
    token.created_at = fields.Time("created");
    token.expires_at = fields.Time("expires");
    token.revoked = fields.Flag("revoked");
    settings.tokens.push_back(std::move(token));
  }
}

void ReadServer(Source& source, Fields& root, Settings& settings) {
  settings.listen = root.Text("listen", settings.listen);
  if (!IsHostAndPort(settings.listen, 0)) root.Wrong("listen", "must be ADDRESS:PORT");
  settings.url = root.RequiredText("url");
  while (settings.url.ends_with('/'))
    settings.url.pop_back();
  if (!settings.url.starts_with("https://") && !settings.url.starts_with("http://")) {
    root.Wrong("url", "must be an https:// URL: how clients name the pool");
  }
  if (const Yaml* node = root.Value("tls")) {
    Fields tls(source, *node, "tls", {"certificate", "key"});
    settings.tls_certificate = tls.File("certificate");
    settings.tls_key = tls.File("key");
    if (settings.tls_certificate.empty() || settings.tls_key.empty()) {
      root.Wrong("tls", "needs both `certificate` and `key`");
    }
  }
  for (const std::string& proxy : root.Texts("proxies")) {
    in6_addr parsed{};
    if (::inet_pton(AF_INET, proxy.c_str(), &parsed) != 1 &&
        ::inet_pton(AF_INET6, proxy.c_str(), &parsed) != 1) {
      root.Wrong("proxies", "must be a list of IP addresses");
    }
    settings.proxies.insert(proxy);
  }
  settings.state = root.Path("state");
  if (settings.state.empty())
    root.Wrong("state", "is missing: the directory for builds and the CA");
  ReadStore(root, settings);
  settings.build_hours = root.Number("build_hours", settings.build_hours, 1, 24);
  settings.home_wait_seconds =
      root.Number("home_wait_seconds", settings.home_wait_seconds, 0, kMaxHomeWait);
  settings.home_passes = root.Number("home_passes", settings.home_passes, 0, kMaxPasses);
  settings.certificate_minutes =
      root.Number("certificate_minutes", settings.certificate_minutes, 1, 60);
}

}  // namespace

Result<Settings> ParseSettings(const std::string& file, std::string_view text) {
  const Result<Yaml> yaml = ParseYaml(text);
  if (!yaml) return Fail(Error(yaml.error()).While(Printable(file)));
  Source source{file, std::nullopt};
  Fields root(source, *yaml, "settings",
              {"listen", "url", "tls", "proxies", "state", "store", "store_password_file",
               "build_hours", "certificate_minutes", "home_wait_seconds", "home_passes", "projects",
               "users", "builders", "oidc", "tokens"});
  Settings settings;
  ReadServer(source, root, settings);
  ReadProjects(source, root, settings);
  ReadUsers(source, root, settings);
  ReadBuilders(source, root, settings);
  ReadOidc(source, root, settings);
  ReadTokens(source, root, settings);
  if (source.error) return Fail(*std::move(source.error));
  return settings;
}

Result<Settings> ReadSettings(const std::string& file) {
  Result<std::string> text = disk::ReadWholeFile(file, kMaxSettings, Cancel::Never());
  if (text) return ParseSettings(file, *text);
  std::string hint;
  if (text.error().code() == ErrorCode::kNotFound)
    hint =
        "write the pool's settings there, or say where they are: --config FILE, or "
        "DEPOT_POOL_CONFIG";
  if (text.error().code() == ErrorCode::kDenied)
    hint = "run this as the pool's user, who must be able to read it";
  return Fail(std::move(text).error().WithHint(std::move(hint)));
}

}  // namespace depot::settings
