#pragma once

#include <map>
#include <memory>
#include <string>

#include "driver/registry/credentials.h"

namespace depot::registry {

/// Serves the hosts in `extra` by what is given there, all others by `rest`, which must outlive it.
std::unique_ptr<CredentialSource> MakeExtraCredentials(std::map<std::string, Credential> extra,
                                                       CredentialSource& rest);

}  // namespace depot::registry
