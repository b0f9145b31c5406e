#pragma once

#include <string>
#include <string_view>

#include "driver/base/result.h"

namespace depot::solve {

/// Reads a source policy from its JSON form, which docker buildx takes from the file that
/// EXPERIMENTAL_BUILDKIT_SOURCE_POLICY names, and gives it in the form of the wire (BuildKit
/// sourcepolicy/pb/policy.proto):
///   {"version": 1, "rules": [{"action": "DENY", "selector": {"identifier": "docker-image://*",
///    "match_type": "WILDCARD", "constraints": [{"key", "value", "condition"}]},
///    "updates": {"identifier", "attrs": {}}}]}
/// The words of action (ALLOW, DENY, CONVERT), match_type (WILDCARD, EXACT, REGEX) and condition
/// (EQUAL, NOTEQUAL, MATCHES) may be numbers, too. Never empty. kInvalid for what is no JSON, an
/// unknown key, word or version, and a rule that selects nothing: a policy that was not understood
/// must not be half of one. Pure.
Result<std::string> ParseSourcePolicy(std::string_view json);

}  // namespace depot::solve
