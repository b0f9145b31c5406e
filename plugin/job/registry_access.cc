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

/// Tells `masks` of every credential before it is used.
class MaskedCredentials final : public registry::CredentialSource {
 public:
  MaskedCredentials(std::unique_ptr<registry::CredentialSource> source, Masks& masks)
      : source_(std::move(source)), masks_(masks) {}

  Result<std::optional<registry::Credential>> Lookup(const std::string& host,
                                                     const std::string& repository,
                                                     int nth,
                                                     const Cancel& cancel) override {
    auto found = source_->Lookup(host, repository, nth, cancel);
    if (!found || !*found) return found;
    const registry::Credential& credential = **found;
    masks_.AddLogin(credential.username, credential.password);
    masks_.Add(credential.identity_token);
    masks_.Add(credential.registry_token);
    return found;
  }

 private:
  std::unique_ptr<registry::CredentialSource> source_;
  Masks& masks_;
};

}  // namespace

RegistryAccess::RegistryAccess(Workshop& workshop,
                               docker::HostCredentials handed_out,
                               EventSink& sink)
    : workshop_(workshop),
      sink_(sink),
      credentials_(std::make_unique<MaskedCredentials>(
          docker::MakeCredentialStore(With(workshop.docker().credentials, std::move(handed_out)),
                                      Variable(workshop.environment(), "PATH"),
                                      To(sink)),
          workshop.masks())),
      keyring_(*credentials_, To(sink)) {}

std::unique_ptr<registry::Registries> RegistryAccess::Open(std::set<std::string> insecure) {
  registry::RegistryOptions options;
  options.insecure = std::move(insecure);
  options.say = To(sink_);
  return registry::MakeRegistries(workshop_.http(), keyring_, std::move(options));
}

}  // namespace depot::job
