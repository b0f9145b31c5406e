#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace depot::registry {

/// One way to identify oneself that a server offers with status 401 (RFC 9110, 11.6.1).
struct Challenge {
  std::string scheme;                             ///< lower case: "bearer", "basic"
  std::map<std::string, std::string> parameters;  ///< names in lower case

  /// "" when it is not there.
  std::string Parameter(const std::string& name) const;
};

/// The challenges of one WWW-Authenticate header, in its order. Never fails: what is malformed is
/// skipped, since another challenge beside it may be understood.
std::vector<Challenge> ParseChallenges(std::string_view header);

}  // namespace depot::registry
