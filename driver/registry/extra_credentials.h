#pragma once

#include <map>
#include <memory>
#include <string>

#include "driver/registry/credentials.h"

namespace depot::registry {

/// Puts what `extra` has for a host before what `rest` has, which must outlive it.
std::unique_ptr<CredentialSource> MakeExtraCredentials(std::map<std::string, Credential> extra,
                                                       CredentialSource& rest);

}  // namespace depot::registry
