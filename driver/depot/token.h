#pragma once

#include <map>
#include <optional>
#include <string>

#include "driver/depot/api.h"

namespace depot::api {

/// Finds the token of the user or job. The first that is there, in the official client's order
/// (depot/cli pkg/helpers/token.go): `flag` (--token), DEPOT_TOKEN, DEPOT_API_TOKEN, the stored
/// login, OIDC (GitHub Actions; GitLab: DEPOT_OIDC_TOKEN under GITLAB_CI; CircleCI; Buildkite),
/// DEPOT_JIT_TOKEN, DEPOT_CACHE_TOKEN. nullopt = none. An OIDC provider that should give one but
/// fails is an Error: a silent "no token" would be the wrong lead. Blocks only for GitHub's and
/// Buildkite's providers.
Result<std::optional<Token>> FindToken(const std::string& flag,
                                       const std::map<std::string, std::string>& environment,
                                       http::HttpClient& client,
                                       const Cancel& cancel);

/// What says that this user or job wants the Depot API, without asking anybody: "DEPOT_TOKEN is
/// set"; or "". For the choice of the builder. The tokens that GitHub, CircleCI and Buildkite give
/// to every job say nothing of the kind: FindToken() uses them once a project is named.
std::string TokenSetting(const std::string& flag,
                         const std::map<std::string, std::string>& environment);

/// The three ways to give a token, as a hint: what an error says when there is none.
std::string HowToGiveAToken();

/// Where `login` keeps its token: $XDG_CONFIG_HOME/depot/depot.yaml, else
/// $HOME/.config/depot/depot.yaml (depot/cli pkg/config); "" without both. The official client
/// reads it too.
std::string LoginFile(const std::map<std::string, std::string>& environment);

/// Whether StoreLogin() may be expected to work, so that nobody approves a login in vain.
Result<> CheckLoginFile(const std::string& file);

/// Stores `token` as api_token, mode 0600 in a directory 0700, atomically; what else the file holds
/// stays. A file that is not YAML is kInvalid and left alone.
Result<> StoreLogin(const std::string& file, const Secret& token);

/// Takes api_token out; false when there was none.
Result<bool> RemoveLogin(const std::string& file);

}  // namespace depot::api
