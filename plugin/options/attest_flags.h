#pragma once

#include <map>
#include <string>
#include <string_view>

#include "driver/base/result.h"

namespace depot::options {

/// What one --attest, --provenance or --sbom asks for.
struct Attestation {
  std::string type;  ///< sbom or provenance
  bool disabled = false;
  std::map<std::string, std::string> attrs;  ///< without type and disabled

  friend bool operator==(const Attestation&, const Attestation&) = default;
};

/// Collects --attest, --provenance and --sbom. Every error is kUsage: an unknown type, an attribute
/// that provenance does not have, a value it cannot have (the builder would only say so after the
/// build), and two flags that want different things of one type.
class AttestFlags {
 public:
  /// CSV with type=sbom or type=provenance, and attributes (buildx util/buildflags/attests.go).
  Result<> AddAttest(std::string_view value);

  /// --provenance and --sbom, by their `type`: true, false, or attributes as CSV. An empty value
  /// says nothing.
  Result<> AddShorthand(std::string_view type, std::string_view value);

  /// By type.
  const std::map<std::string, Attestation>& result() const { return wanted_; }

 private:
  Result<> Add(Attestation attestation, std::string flag);

  std::map<std::string, Attestation> wanted_;
  std::map<std::string, std::string> flags_;  ///< by type: the flag that asked, as it was written
};

}  // namespace depot::options
