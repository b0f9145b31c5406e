#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "driver/http/client.h"
#include "driver/registry/credentials.h"

namespace depot::registry {

/// What a registry's Bearer challenge asks for (distribution spec, token authentication).
struct TokenRequest {
  std::string realm;  ///< URL of the token server
  std::string service;
  std::vector<std::string> scopes;
  std::string client_id;
};

/// What a token server gave out (distribution spec, token authentication); for one set of scopes.
struct Token {
  Secret token;
  std::int64_t expires_in = 60;  ///< seconds
  std::int64_t issued_at = 0;    ///< seconds since 1970; 0 = unknown
};

/// Gets a token: OAuth2 POST with the credential (password or refresh token), falling back to GET
/// with Basic authentication on 404, 401 or (with a user name) 405; an anonymous GET without a
/// credential; a registry_token is returned as it is (BuildKit session/auth/authprovider). A realm
/// that is not http(s) is kInvalid. With a credential, a plain-http realm is refused unless its
/// host is a loopback address: the realm comes from the registry or the builder, and the password
/// would travel in clear. Errors name realm and status, never the secret.
Result<Token> FetchToken(http::HttpClient& client,
                         const TokenRequest& request,
                         const std::optional<Credential>& credential,
                         const Cancel& cancel);

/// The same, again when that may help: the server cannot be reached, answers 429 or 5xx, or falls
/// silent. The limits are those of Attempts; each new attempt is a line to `say`.
Result<Token> FetchTokenPatiently(http::HttpClient& client,
                                  const TokenRequest& request,
                                  const std::optional<Credential>& credential,
                                  const std::function<void(std::string)>& say,
                                  const Cancel& cancel);

}  // namespace depot::registry
