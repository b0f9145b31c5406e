#pragma once

#include <memory>
#include <set>
#include <string>

#include "driver/docker/credential_store.h"
#include "driver/event/sink.h"
#include "driver/registry/keyring.h"
#include "driver/registry/repository.h"
#include "plugin/job/workshop.h"

namespace depot::job {

/// The user's way into registries: credentials, and what was found out about them. Any thread.
class RegistryAccess {
 public:
  /// `handed_out`, by host, comes before the user's own credentials. Which credentials serve is
  /// said to `sink`. Both references must outlive it, and ReadDocker() has succeeded.
  RegistryAccess(Workshop& workshop, docker::HostCredentials handed_out, EventSink& sink);

  registry::Keyring& keyring() { return keyring_; }

  /// Registries with these credentials; those in `insecure` may speak plain HTTP and show any
  /// certificate. Must not outlive *this.
  std::unique_ptr<registry::Registries> Open(std::set<std::string> insecure);

 private:
  Workshop& workshop_;
  EventSink& sink_;
  std::unique_ptr<registry::CredentialSource> credentials_;
  registry::Keyring keyring_;
};

}  // namespace depot::job
