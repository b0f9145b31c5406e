#include <cstdint>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>

#include "driver/docker/config_file.h"
#include "driver/docker/credential_store.h"

// config.json and DOCKER_AUTH_CONFIG, and what is looked up in them.

namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

void LookUp(depot::docker::CredentialPlaces places) {
  // No helper is run here.
  places.config.creds_store.clear();
  places.config.cred_helpers = {{"none.test", ""}};
  auto store = depot::docker::MakeCredentialStore(std::move(places), "", [](const std::string&) {});
  for (const char* host : {"r.test", "r.test:443", "registry-1.docker.io"}) {
    for (const char* repository : {"", "org1/app", "org1"}) {
      constexpr int kMany = 1000;
      for (int nth = 0; nth < kMany; ++nth) {
        auto found = store->Lookup(host, repository, nth, depot::Cancel::Never());
        Require(found.has_value());
        if (!*found) break;
        const depot::registry::Credential& one = **found;
        int kinds = (one.password.empty() ? 0 : 1) + (one.identity_token.empty() ? 0 : 1) +
                    (one.registry_token.empty() ? 0 : 1);
        Require(kinds == 1);
      }
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t kEnough = 4096;  // a look-up sorts the keys each time
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  auto file = depot::docker::ParseConfigFile("/home/me/.docker", text);
  auto variable = depot::docker::ParseAuthConfig(text);
  if (!file && text.find("hunter2") != std::string_view::npos) {
    Require(file.error().message().find("hunter2-s3cr3t") == std::string::npos);
  }
  if (size > kEnough) return 0;
  depot::docker::CredentialPlaces places;
  if (file) places.config = *std::move(file);
  if (variable) places.environment_auths = *std::move(variable);
  LookUp(std::move(places));
  return 0;
}
