#include "plugin/job/docker_setup.h"

namespace depot::job {

std::string DockerDirectory(const options::GlobalFlags& flags, const Environment& environment) {
  std::string directory =
      flags.config.empty() ? Variable(environment, "DOCKER_CONFIG") : flags.config;
  return directory.empty() ? Variable(environment, "HOME") + "/.docker" : directory;
}

namespace {

template <typename T>
void Keep(Result<T> read, T& into, std::vector<Error>& faults) {
  if (read) {
    into = *std::move(read);
  } else {
    faults.push_back(std::move(read).error());
  }
}

}  // namespace

DockerSetup ReadWhatIsSound(const options::GlobalFlags& flags,
                            const Environment& environment,
                            std::vector<Error>& faults) {
  DockerSetup setup;
  docker::CredentialPlaces& places = setup.credentials;
  places.config.directory = DockerDirectory(flags, environment);
  Keep(docker::ReadConfigFile(places.config.directory), places.config, faults);
  if (std::string json = Variable(environment, "DOCKER_AUTH_CONFIG"); !json.empty()) {
    Keep(docker::ParseAuthConfig(json), places.environment_auths, faults);
  }
  Keep(docker::ChooseAuthOrder(Variable(environment, "DOCKER_AUTH_ORDER"),
                               !Variable(environment, "GITLAB_CI").empty()),
       places.order, faults);
  setup.credentials.gitlab = docker::GitlabCredentials(environment);
  docker::EngineFlags engine{flags.context, flags.host,     flags.tls,    flags.tls_verify,
                             flags.tls_ca,  flags.tls_cert, flags.tls_key};
  setup.engine = docker::ResolveEngine(engine, environment, setup.credentials.config);
  return setup;
}

Result<DockerSetup> ReadDockerSetup(const options::GlobalFlags& flags,
                                    const Environment& environment) {
  std::vector<Error> faults;
  DockerSetup setup = ReadWhatIsSound(flags, environment, faults);
  if (!faults.empty()) return Fail(std::move(faults.front()));
  return setup;
}

}  // namespace depot::job
