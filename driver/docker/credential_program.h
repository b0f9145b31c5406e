#pragma once

#include <optional>
#include <string>

#include "driver/base/cancel.h"
#include "driver/registry/credentials.h"

namespace depot::docker {

/// A credential helper: the program docker-credential-SUFFIX in PATH.
struct CredentialProgram {
  std::string suffix;
  std::string named_by;  ///< for people: "credsStore of /root/.docker/config.json"
};

/// Asks the helper for one key (docker/docker-credential-helpers, client protocol "get"). nullopt =
/// it has none. A missing program is kNotFound; one that fails, or whose answer cannot be read, is
/// kFailed; silence for 60 s is kTimeout. Blocks; the caller sees to it that only one runs at a
/// time.
Result<std::optional<registry::Credential>> AskCredentialProgram(const CredentialProgram& program,
                                                                 const std::string& key,
                                                                 const Cancel& cancel);

}  // namespace depot::docker
