#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "driver/base/result.h"
#include "driver/http/client.h"
#include "pool/identity/public_key.h"
#include "pool/settings/settings.h"

namespace depot::identity {

/// The issuers' public keys, fetched in the background when they are needed: one fetch at a time
/// per issuer, of 10 s at most. They are fresh for ten minutes, and serve for an hour more while
/// newer ones are being fetched, or cannot be had. Safe to use from several threads.
class IssuerKeys {
 public:
  /// Ends what is being fetched.
  virtual ~IssuerKeys() = default;

  /// The key with this id, or the issuer's only key for "". nullopt while it is not known whether
  /// there is one: ask again. kDenied when the issuer has none such; a new key is found at most 30
  /// s after the last fetch. kUnavailable, kInvalid and the like when the keys cannot be had; that
  /// is not tried again for 5 s. Never waits for the network.
  virtual Result<std::optional<PublicKey>> Find(const settings::OidcSettings& issuer,
                                                const std::string& key_id,
                                                std::int64_t now) = 0;
};

/// `client` must outlive it. Keys come from the issuer's `jwks_file` (read again when it changes),
/// its `jwks_url`, or what its discovery document names (OpenID Connect Discovery 1.0, section 4).
std::unique_ptr<IssuerKeys> MakeIssuerKeys(http::HttpClient& client);

}  // namespace depot::identity
