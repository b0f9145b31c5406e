#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "driver/base/result.h"
#include "driver/base/secret.h"

namespace depot::docker {

/// One entry of "auths"; empty parts are absent. An "auth" member has been taken apart into user
/// name and password, and beats members of those names, as in Docker.
struct AuthEntry {
  std::string username;
  Secret password;
  Secret identity_token;
  Secret registry_token;
};

/// Docker's config.json, as far as we use it (docker/cli cli/config/configfile/file.go).
struct ConfigFile {
  std::string directory;  ///< where it lies: $DOCKER_CONFIG or ~/.docker; exists or not
  std::string path;       ///< directory/config.json
  std::map<std::string, AuthEntry> auths;  ///< keys verbatim
  std::string creds_store;
  std::map<std::string, std::string> cred_helpers;
  std::string current_context;
  std::map<std::string, std::string> http_headers;
  std::map<std::string, std::map<std::string, std::string>>
      proxies;  ///< host or "default" -> key -> value
};

/// Reads directory/config.json. A missing or empty file is an empty config; a malformed one (JSON,
/// types, base64 of an "auth") is kInvalid and names the file, the place and the key, never the
/// value. Unlike Docker, which warns and goes on without credentials.
Result<ConfigFile> ReadConfigFile(const std::string& directory);

/// The same for a file that was read already; "" = there is none.
Result<ConfigFile> ParseConfigFile(const std::string& directory, std::string_view text);

/// The "auths" object of DOCKER_AUTH_CONFIG; blank text is no entries. Strict: members that Docker
/// does not write into config.json, a second value and a malformed auth are kInvalid, naming the
/// variable and the key, never the value. Members of config.json other than "auths" are ignored:
/// whole files are often pasted into the variable.
Result<std::map<std::string, AuthEntry>> ParseAuthConfig(std::string_view json);

}  // namespace depot::docker
