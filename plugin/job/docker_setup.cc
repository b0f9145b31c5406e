#include "plugin/job/docker_setup.h"

namespace depot::job {

std::string DockerDirectory(const options::GlobalFlags& flags, const Environment& environment) {
  std::string directory =
      flags.config.empty() ? Variable(environment, "DOCKER_CONFIG") : flags.config;
  return directory.empty() ? Variable(environment, "HOME") + "/.docker" : directory;
}

Result<DockerSetup> ReadDockerSetup(const options::GlobalFlags& flags,
                                    const Environment& environment) {
  DockerSetup setup;
  TRY_ASSIGN(setup.credentials.config, docker::ReadConfigFile(DockerDirectory(flags, environment)));
  if (std::string json = Variable(environment, "DOCKER_AUTH_CONFIG"); !json.empty()) {
    TRY_ASSIGN(setup.credentials.environment_auths, docker::ParseAuthConfig(json));
  }
  TRY_ASSIGN(setup.credentials.order,
             docker::ChooseAuthOrder(Variable(environment, "DOCKER_AUTH_ORDER"),
                                     !Variable(environment, "GITLAB_CI").empty()));
  setup.credentials.gitlab = docker::GitlabCredentials(environment);
  docker::EngineFlags engine{flags.context, flags.host,     flags.tls,    flags.tls_verify,
                             flags.tls_ca,  flags.tls_cert, flags.tls_key};
  setup.engine = docker::ResolveEngine(engine, environment, setup.credentials.config);
  return setup;
}

}  // namespace depot::job
