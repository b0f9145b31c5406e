#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "driver/base/result.h"
#include "driver/base/secret.h"

namespace depot::session {

/// A secret offered to RUN --mount=type=secret. Files are read when asked for.
struct SecretSpec {
  std::string id;
  std::string file;             ///< path (files/lookup.h says where links in it may lead), or
  std::optional<Secret> value;  ///< the variable's value, taken when the command line was read
  std::string context{};        ///< the local build context, absolute; ""
  /// What the user is told when the builder first asks for it: a secret that was not given by name.
  std::string said{};
};

constexpr std::size_t kMaxSecretSize = 500 << 10;  ///< BuildKit session/secrets

/// Checks that every secret can be read and is small enough, before anything is connected.
Result<> CheckSecrets(const std::vector<SecretSpec>& secrets);

}  // namespace depot::session
