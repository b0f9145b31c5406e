#include "driver/docker/config_file.h"

#include <algorithm>
#include <filesystem>

#include "driver/base/encode.h"
#include "driver/base/json.h"
#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/disk/read_file.h"

namespace depot::docker {
namespace {

/// Go matches member names without regard to case when there is no exact match.
Json Member(const Json& object, std::string_view name) {
  if (object.Has(name)) return object[name];
  std::string lower = LowerAscii(name);
  for (const std::string& key : object.Keys()) {
    if (LowerAscii(key) == lower) return object[key];
  }
  return {};
}

/// Reads members of the wanted types and remembers where it is, for errors without values.
class Reader {
 public:
  explicit Reader(std::string where) : where_(std::move(where)) {}

  Error Wrong(std::string_view path, std::string_view why) const {
    return Error(ErrorCode::kInvalid, Cat(where_, ": ", RedactUrls(Printable(path)), ' ', why));
  }

  /// null counts as absent, as in Go.
  Result<std::string> Text(const Json& object, std::string_view path, std::string_view name) const {
    Json value = Member(object, name);
    if (value.type() == Json::Type::kNull) return std::string();
    if (!value.is_string()) return Fail(Wrong(Join(path, name), "must be a string"));
    return value.AsString();
  }

  Result<Json> Object(const Json& object, std::string_view path, std::string_view name) const {
    Json value = Member(object, name);
    if (value.type() == Json::Type::kNull) return Json::Object();
    if (!value.is_object()) return Fail(Wrong(Join(path, name), "must be an object"));
    return value;
  }

  Result<std::map<std::string, std::string>> TextMap(const Json& object,
                                                     std::string_view path,
                                                     std::string_view name) const {
    TRY_ASSIGN(Json members, Object(object, path, name));
    std::map<std::string, std::string> out;
    for (const std::string& key : members.Keys()) {
      Json value = members[key];
      if (!value.is_string()) {
        return Fail(Wrong(Join(Join(path, name), key), "must be a string"));
      }
      out[key] = value.AsString();
    }
    return out;
  }

  Result<AuthEntry> Entry(const Json& value, std::string_view path) const {
    if (!value.is_object()) return Fail(Wrong(path, "must be an object"));
    AuthEntry entry;
    TRY_ASSIGN(entry.username, Text(value, path, "username"));
    TRY_ASSIGN(std::string password, Text(value, path, "password"));
    entry.password = Secret(std::move(password));
    TRY_ASSIGN(std::string identity, Text(value, path, "identitytoken"));
    entry.identity_token = Secret(std::move(identity));
    TRY_ASSIGN(std::string registry, Text(value, path, "registrytoken"));
    entry.registry_token = Secret(std::move(registry));
    TRY_ASSIGN(std::string auth, Text(value, path, "auth"));
    if (!auth.empty()) TRY(TakeAuth(Secret(std::move(auth)), Join(path, "auth"), entry));
    return entry;
  }

  Result<std::map<std::string, AuthEntry>> Auths(const Json& object) const {
    TRY_ASSIGN(Json members, Object(object, "", "auths"));
    std::map<std::string, AuthEntry> out;
    for (const std::string& key : members.Keys()) {
      TRY_ASSIGN(out[key], Entry(members[key], Join("auths", Cat('"', key, '"'))));
    }
    return out;
  }

 private:
  static std::string Join(std::string_view path, std::string_view name) {
    return path.empty() ? std::string(name) : Cat(path, '.', name);
  }

  /// base64 of "user:password" (docker/cli cli/config/configfile/file.go, decodeAuth).
  Result<> TakeAuth(const Secret& auth, const std::string& path, AuthEntry& entry) const {
    std::optional<std::string> decoded = FromBase64(auth.Reveal());
    if (!decoded) return Fail(Wrong(path, "is not base64"));
    Secret plain(*std::move(decoded));
    std::string_view text = plain.Reveal();
    std::size_t colon = text.find(':');
    if (colon == std::string_view::npos || colon == 0) {
      return Fail(Wrong(path, "is not the base64 of user:password"));
    }
    std::string_view password = text.substr(colon + 1);
    while (password.starts_with('\0'))
      password.remove_prefix(1);
    while (password.ends_with('\0'))
      password.remove_suffix(1);
    entry.username = text.substr(0, colon);
    entry.password = Secret(std::string(password));
    return {};
  }

  std::string where_;
};

/// What Docker itself writes (docker/cli cli/config/configfile/file.go, types/authconfig.go).
constexpr std::string_view kTopMembers[] = {
    "auths",          "HttpHeaders",         "psFormat",      "imagesFormat",
    "networksFormat", "pluginsFormat",       "volumesFormat", "statsFormat",
    "detachKeys",     "credsStore",          "credHelpers",   "serviceInspectFormat",
    "servicesFormat", "tasksFormat",         "secretFormat",  "configFormat",
    "nodesFormat",    "pruneFilters",        "proxies",       "currentContext",
    "aliases",        "cliPluginsExtraDirs", "plugins",       "features",
    "experimental",   "stackOrchestrator",   "kubernetes"};
constexpr std::string_view kEntryMembers[] = {"auth",          "username",      "password",
                                              "email",         "serveraddress", "identitytoken",
                                              "registrytoken", "ServerAddress"};

template <std::size_t N>
Result<> RefuseUnknown(const Reader& reader,
                       const Json& object,
                       const std::string& path,
                       const std::string_view (&known)[N]) {
  for (const std::string& key : object.Keys()) {
    auto same = [&](std::string_view name) { return LowerAscii(name) == LowerAscii(key); };
    if (std::any_of(known, known + N, same)) continue;
    std::string_view nearest = Nearest(key, {known, known + N});
    std::string why = "is not known";
    if (!nearest.empty()) why += Cat("; did you mean ", nearest, '?');
    return Fail(reader.Wrong(path + key, why));
  }
  return {};
}

}  // namespace

Result<ConfigFile> ReadConfigFile(const std::string& directory) {
  // A folder that is not there holds nothing; a file in its place is a mistake in DOCKER_CONFIG.
  std::error_code none;
  if (const auto there = std::filesystem::status(directory, none);
      std::filesystem::exists(there) && !std::filesystem::is_directory(there)) {
    return Fail(Error(ErrorCode::kInvalid, Cat(Printable(directory), " is not a folder"))
                    .WithHint("DOCKER_CONFIG and --config name the folder that holds config.json")
                    .At(FailedAt::kSettings));
  }
  TRY_ASSIGN(std::optional<std::string> text, disk::ReadFileIfThere(directory + "/config.json"));
  return ParseConfigFile(directory, text.value_or(""));
}

Result<ConfigFile> ParseConfigFile(const std::string& directory, std::string_view text) {
  ConfigFile config;
  config.directory = directory;
  config.path = directory + "/config.json";
  if (Trim(text).empty()) return config;
  Result<Json> json = Json::Parse(text);
  if (!json) return Fail(Error(json.error()).While(config.path));
  Reader reader(config.path);
  if (!json->is_object()) return Fail(reader.Wrong("the file", "must hold a JSON object"));
  TRY_ASSIGN(config.auths, reader.Auths(*json));
  TRY_ASSIGN(config.creds_store, reader.Text(*json, "", "credsStore"));
  TRY_ASSIGN(config.cred_helpers, reader.TextMap(*json, "", "credHelpers"));
  TRY_ASSIGN(config.current_context, reader.Text(*json, "", "currentContext"));
  TRY_ASSIGN(config.http_headers, reader.TextMap(*json, "", "HttpHeaders"));
  TRY_ASSIGN(Json proxies, reader.Object(*json, "", "proxies"));
  for (const std::string& host : proxies.Keys()) {
    TRY_ASSIGN(config.proxies[host], reader.TextMap(proxies, "proxies", host));
  }
  return config;
}

Result<std::map<std::string, AuthEntry>> ParseAuthConfig(std::string_view json) {
  std::map<std::string, AuthEntry> auths;
  if (Trim(json).empty()) return auths;
  Result<Json> parsed = Json::Parse(json);
  if (!parsed) {
    Error error = Error(parsed.error()).While("DOCKER_AUTH_CONFIG");
    if (!Trim(json).starts_with('/')) return Fail(std::move(error));
    return Fail(std::move(error).WithHint(
        "it must hold the JSON itself, not the path of a file; in GitLab, a variable of type "
        "Variable, not File"));
  }
  Reader reader("DOCKER_AUTH_CONFIG");
  if (!parsed->is_object()) return Fail(reader.Wrong("the value", "must be a JSON object"));
  TRY(RefuseUnknown(reader, *parsed, "", kTopMembers));
  TRY_ASSIGN(auths, reader.Auths(*parsed));
  Json members = Member(*parsed, "auths");
  for (const std::string& key : members.Keys()) {
    TRY(RefuseUnknown(reader, members[key], Cat("auths.\"", key, "\"."), kEntryMembers));
  }
  return auths;
}

}  // namespace depot::docker
