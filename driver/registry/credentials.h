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
  /// For people: "DOCKER_AUTH_CONFIG", "config.json", "helper docker-credential-x".
  std::string source;

  friend bool operator==(const Credential&, const Credential&) = default;
};

/// Whether both let in as the same user, wherever they come from.
inline bool SameSecret(const Credential& one, const Credential& other) {
  Credential renamed = other;
  renamed.source = one.source;
  return one == renamed;
}

/// Knows the credentials of the user. Safe to use from several threads; look-ups may run a helper
/// program.
class CredentialSource {
 public:
  virtual ~CredentialSource() = default;

  /// The candidate number `nth` for `repository` (a path without the host; "" = none is known) at
  /// `host`, counted from 0 in the order in which they are to be tried; all differ. nullopt: there
  /// are no more; with 0, none are configured at all: go on anonymously. A helper is run when its
  /// turn comes, not before; one that fails is an Error unless there is another candidate. `host`
  /// is host[:port] as in an image name, or registry-1.docker.io.
  virtual Result<std::optional<Credential>> Lookup(const std::string& host,
                                                   const std::string& repository,
                                                   int nth,
                                                   const Cancel& cancel) = 0;
};

}  // namespace depot::registry
