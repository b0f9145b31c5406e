#include "plugin/job/registry_access.h"

namespace depot::job {
namespace {

std::function<void(std::string)> To(EventSink& sink) {
  return [&sink](std::string line) { sink.Say(std::move(line)); };
}

docker::CredentialPlaces With(docker::CredentialPlaces places, docker::HostCredentials handed_out) {
  places.hosted = std::move(handed_out);
  return places;
}

}  // namespace

RegistryAccess::RegistryAccess(Workshop& workshop,
                               docker::HostCredentials handed_out,
                               EventSink& sink)
    : workshop_(workshop),
      sink_(sink),
      credentials_(
          docker::MakeCredentialStore(With(workshop.docker().credentials, std::move(handed_out)),
                                      Variable(workshop.environment(), "PATH"),
                                      To(sink))),
      keyring_(*credentials_, To(sink)) {}

std::unique_ptr<registry::Registries> RegistryAccess::Open(std::set<std::string> insecure) {
  registry::RegistryOptions options;
  options.insecure = std::move(insecure);
  options.say = To(sink_);
  return registry::MakeRegistries(workshop_.http(), keyring_, std::move(options));
}

}  // namespace depot::job
