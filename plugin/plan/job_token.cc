#include "plugin/plan/job_token.h"

#include <algorithm>
#include <string>
#include <utility>

#include "driver/base/encode.h"
#include "driver/base/text.h"

namespace depot::plan {
namespace {

constexpr std::string_view kHeader = "GIT_AUTH_HEADER";
constexpr std::string_view kToken = "GIT_AUTH_TOKEN";

/// The server as URLs have it: with a port that is the usual one, both ways.
std::vector<std::string> Hosts(const Environment& environment) {
  const std::string host = TrimmedVariable(environment, "CI_SERVER_HOST");
  const std::string port = TrimmedVariable(environment, "CI_SERVER_PORT");
  if (host.empty()) return {};
  if (port.empty()) return {host};
  const bool plain = TrimmedVariable(environment, "CI_SERVER_PROTOCOL") == "http";
  std::vector<std::string> hosts = {Cat(host, ":", port)};
  if (port == (plain ? "80" : "443")) hosts.push_back(host);
  return hosts;
}

bool IsGiven(const options::BuildOptions& options, const std::string& host) {
  const auto& given = options.secrets;
  return std::any_of(given.begin(), given.end(), [&](const options::SecretSource& secret) {
    return secret.id == kHeader || secret.id == kToken || secret.id == Cat(kHeader, ".", host) ||
           secret.id == Cat(kToken, ".", host);
  });
}

}  // namespace

std::vector<session::SecretSpec> JobTokenSecrets(const options::BuildOptions& options,
                                                 const Environment& environment) {
  const Secret token(TrimmedVariable(environment, "CI_JOB_TOKEN"));
  if (token.empty() || TrimmedVariable(environment, "GITLAB_CI").empty()) return {};
  std::vector<session::SecretSpec> specs;
  for (const std::string& host : Hosts(environment)) {
    if (IsGiven(options, host)) continue;
    session::SecretSpec spec;
    spec.id = Cat(kHeader, ".", host);
    spec.value = Secret(Cat("basic ", Base64(Cat("gitlab-ci-token:", token.Reveal()))));
    spec.said = Cat("git on the builder fetches from ", host, " with the job's token");
    specs.push_back(std::move(spec));
  }
  return specs;
}

}  // namespace depot::plan
