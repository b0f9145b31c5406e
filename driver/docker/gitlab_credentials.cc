#include "driver/docker/gitlab_credentials.h"

#include "driver/base/environment.h"

namespace depot::docker {
HostCredentials GitlabCredentials(const Environment& environment) {
  struct Names {
    const char* host;
    const char* user;
    const char* password;
  };
  constexpr Names kNames[] = {
      {"CI_REGISTRY", "CI_REGISTRY_USER", "CI_REGISTRY_PASSWORD"},
      {"CI_REGISTRY", "CI_DEPLOY_USER", "CI_DEPLOY_PASSWORD"},
      {"CI_DEPENDENCY_PROXY_SERVER", "CI_DEPENDENCY_PROXY_USER", "CI_DEPENDENCY_PROXY_PASSWORD"},
  };
  HostCredentials all;
  if (TrimmedVariable(environment, "GITLAB_CI").empty()) return all;
  for (const Names& names : kNames) {
    std::string host = TrimmedVariable(environment, names.host);
    registry::Credential credential;
    credential.username = TrimmedVariable(environment, names.user);
    credential.password = Secret(TrimmedVariable(environment, names.password));
    credential.source = names.password;
    if (host.empty() || credential.username.empty() || credential.password.empty()) continue;
    all.emplace_back(std::move(host), std::move(credential));
  }
  return all;
}

}  // namespace depot::docker
