#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "pool/identity/public_key.h"
#include "pool/settings/settings.h"

#include "driver/base/cancel.h"
#include "driver/http/client.h"

namespace depot::identity {

/// The issuers' public keys, fetched when they are needed and kept for ten minutes. Safe to use
/// from several threads.
class IssuerKeys {
 public:
  virtual ~IssuerKeys() = default;

  /// The key with this id, or the issuer's only key for "". kDenied when the issuer has none such;
  /// a new key is found at most 30 s after the last fetch. kUnavailable, kInvalid and the like when
  /// the keys cannot be had; that is not tried again for 5 s. Blocks up to 10 s; one fetch at a
  /// time per issuer, whose result all who wait get.
  virtual Result<PublicKey> Find(const settings::OidcSettings& issuer,
                                 const std::string& key_id,
                                 std::int64_t now,
                                 const Cancel& cancel) = 0;
};

/// `client` must outlive it. Keys come from the issuer's `jwks_file` (read again when it changes),
/// its `jwks_url`, or what its discovery document names (OpenID Connect Discovery 1.0, section 4).
std::unique_ptr<IssuerKeys> MakeIssuerKeys(http::HttpClient& client);

}  // namespace depot::identity
