#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "driver/docker/config_file.h"
#include "driver/docker/gitlab_credentials.h"
#include "driver/registry/credentials.h"

namespace depot::docker {

/// Which place is asked first.
enum class AuthOrder { kEnvironmentFirst, kConfigFirst };

/// DOCKER_AUTH_ORDER ("env,config" or "config,env"; anything else is kInvalid) when set; else
/// config.json first under GITLAB_CI (a `docker login` in the job is meant to win), and Docker's
/// own order, environment first, elsewhere.
Result<AuthOrder> ChooseAuthOrder(const std::string& docker_auth_order, bool gitlab_ci);

/// Everything that is known of the user's credentials.
struct CredentialPlaces {
  ConfigFile config;
  std::map<std::string, AuthEntry> environment_auths;  ///< DOCKER_AUTH_CONFIG
  AuthOrder order = AuthOrder::kEnvironmentFirst;
  HostCredentials gitlab{};  ///< come after both
  HostCredentials hosted{};  ///< come before both: what the Depot API gave for this build
};

/// The user's credentials: those of the Depot API, DOCKER_AUTH_CONFIG's entries and config.json
/// (credHelpers, credsStore, else auths; with none of the three, the platform's helper if it is
/// installed, as Docker does), then GitLab's. Each place gives as many candidates as it has for a
/// host; what was given already, under whatever name, is left out.
///
/// Keys may name a path below the host, and which are tried first depends on the repository
/// (RankKeys()). A key's helper is that of credHelpers for exactly this key, else credsStore, and
/// gets the key as it is written. credsStore is asked for the keys of "auths" (Docker leaves empty
/// entries there) and for the host's own, which it may know without. Docker itself knows one key
/// for a host.
///
/// A helper that is missing, fails, or is silent for 60 s is an Error, unless another place has a
/// candidate: then that one serves and `say` tells why. "credentials not found in native keychain"
/// means there are none.
///
/// Helpers run one at a time; an answer is kept for 4 min 50 s. The first time that a candidate is
/// given out, `say` gets one line such as "credentials for registry.gitlab.com: config.json (user
/// gitlab-ci-token)" or "... helper docker-credential-x"; never a secret. `say` is called from the
/// asking thread. `search_path` is PATH's value, where the platform's helper is looked for.
std::unique_ptr<registry::CredentialSource> MakeCredentialStore(
    CredentialPlaces places, std::string search_path, std::function<void(std::string)> say);

}  // namespace depot::docker
