#pragma once

#include <optional>
#include <string>

#include "driver/base/cancel.h"
#include "driver/base/secret.h"

namespace depot::registry {

/// What opens a registry. Exactly one of password, identity_token and registry_token is set.
struct Credential {
  std::string username;
  Secret password;
  Secret identity_token;  ///< an OAuth2 refresh token
  Secret registry_token;  ///< a ready bearer token
  std::string
      source;  ///< for people: "DOCKER_AUTH_CONFIG", "config.json", "helper docker-credential-x"
};

/// Knows the credentials of the user. Safe to use from several threads; look-ups may run a helper
/// program.
class CredentialSource {
 public:
  virtual ~CredentialSource() = default;

  /// `host` is host[:port] as in an image name, or registry-1.docker.io. nullopt = none configured:
  /// go on anonymously. A helper that fails is an Error.
  virtual Result<std::optional<Credential>> Lookup(const std::string& host,
                                                   const Cancel& cancel) = 0;
};

}  // namespace depot::registry
