#include "plugin/job/registry_access.h"

#include "driver/registry/extra_credentials.h"

namespace depot::job {
namespace {

std::function<void(std::string)> To(EventSink& sink) {
  return [&sink](std::string line) { sink.Say(std::move(line)); };
}

}  // namespace

RegistryAccess::RegistryAccess(Workshop& workshop,
                               std::map<std::string, registry::Credential> handed_out,
                               EventSink& sink)
    : workshop_(workshop),
      sink_(sink),
      own_(docker::MakeCredentialStore(
          workshop.docker().credentials, Variable(workshop.environment(), "PATH"), To(sink))),
      all_(registry::MakeExtraCredentials(std::move(handed_out), *own_)),
      keyring_(*all_, To(sink)) {}

std::unique_ptr<registry::Registries> RegistryAccess::Open(std::set<std::string> insecure) {
  registry::RegistryOptions options;
  options.insecure = std::move(insecure);
  options.say = To(sink_);
  return registry::MakeRegistries(workshop_.http(), keyring_, std::move(options));
}

}  // namespace depot::job
