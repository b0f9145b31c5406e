#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "driver/base/secret.h"

namespace depot::registry {

/// What a token is asked for, "repository:a/b:pull,push" (distribution spec, token scope).
struct Scope {
  std::string type;
  std::string name;
  std::vector<std::string> actions;

  /// Whether it is a repository that is to be pushed to.
  bool pushes() const;
};

/// What is malformed has no type.
Scope ParseScope(std::string_view text);

/// Whether `token` may be what was asked for. False only when pushing was asked for and the token
/// says that it lets nobody push there: it is a JWT with an "access" claim without it (distribution
/// spec, token implementation). Token servers grant what the user may do, and not what was asked;
/// the registry refuses such a token later. Tokens that cannot be read are believed.
bool MayPush(const Secret& token, const std::vector<std::string>& scopes);

}  // namespace depot::registry
