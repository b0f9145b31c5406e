#pragma once

#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "driver/http/client.h"
#include "driver/registry/challenge.h"
#include "driver/registry/credentials.h"
#include "driver/registry/token_cache.h"

namespace depot::registry {

/// What a request carries to be let in: nothing, a user name with its password, or a token.
struct Proof {
  std::optional<std::pair<std::string, Secret>> basic;
  std::optional<Secret> bearer;

  friend bool operator==(const Proof&, const Proof&) = default;
};

/// Gets into one repository of one registry: it knows the challenge that the registry gave, and
/// answers it with the user's credentials, or anonymously. Any thread.
class Authorizer {
 public:
  /// `host` is what credentials are looked up by; `scope` what is wanted, as in
  /// "repository:a/b:pull" (distribution spec, token scope). The rest outlives the Authorizer;
  /// `tokens` is shared, so that a token is fetched once for all who want the same.
  Authorizer(http::HttpClient& client,
             CredentialSource& credentials,
             TokenCache& tokens,
             std::string host,
             std::string scope);

  /// What the next request carries. Nothing as long as no challenge is known.
  Result<Proof> Prove(const Cancel& cancel);

  /// The registry answered 401 to `proof`. True when its challenge can be answered: ask Prove()
  /// again, and give up when that gives the same proof.
  bool Refused(const http::Response& response, const Proof& proof);

  /// Where the credentials come from ("config.json"), for an error; "" = there are none.
  std::string SourceOfCredentials(const Cancel& cancel);

 private:
  Result<Secret> GetToken(const TokenRequest& wanted, const Cancel& cancel);

  http::HttpClient& client_;
  CredentialSource& credentials_;
  TokenCache& tokens_;
  const std::string host_;
  const std::string scope_;

  std::mutex mutex_;
  std::optional<Challenge> challenge_;
};

}  // namespace depot::registry
