#pragma once

#include <map>
#include <optional>
#include <string>

#include "driver/depot/api.h"

namespace depot::api {

/// The token that the CI service vouches for this job with, for the audience https://depot.dev; the
/// first service that has one (depot/cli pkg/oidc): GitHub Actions, GitLab, CircleCI, Buildkite.
/// nullopt = none of them is there.
Result<std::optional<Token>> FindOidcToken(const std::map<std::string, std::string>& environment,
                                           http::HttpClient& client,
                                           const Cancel& cancel);

}  // namespace depot::api
