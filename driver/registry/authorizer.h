#pragma once

#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "driver/http/client.h"
#include "driver/registry/challenge.h"
#include "driver/registry/keyring.h"

namespace depot::registry {

/// What a request carries to be let in: nothing, a user name with its password, or a token.
struct Proof {
  std::optional<std::pair<std::string, Secret>> basic;
  std::optional<Secret> bearer;
  Attempt before;        ///< what it was made from
  Attempt attempt;       ///< whose it is, and who was refused before
  bool fresh = false;    ///< a token that was fetched now
  bool renewed = false;  ///< it was made once more with the same credential
};

/// Gets into one repository of one registry: it knows the challenge that the registry gave, and
/// answers it with the user's credentials, one after the other, or anonymously. Any thread.
class Authorizer {
 public:
  /// `host` is what credentials are looked up by; `scope` what is wanted, as in
  /// "repository:a/b:pull" (distribution spec, token scope). The rest outlives the Authorizer.
  Authorizer(http::HttpClient& client, Keyring& keyring, std::string host, std::string scope);

  /// What a request carries first. Nothing as long as no challenge is known.
  Result<Proof> Prove(const Cancel& cancel);

  /// The registry answered `response`, a 401 or 403, to `proof`. What the same request may carry
  /// next: the answer to the challenge, a new token instead of one kept from before, or the proof
  /// of the next credential. nullopt: nothing is left to try. Asked again and again it comes to an
  /// end.
  Result<std::optional<Proof>> ProveAgain(const http::Response& response,
                                          const Proof& proof,
                                          const Cancel& cancel);

  /// The registry let `proof` in; `wrote`: for something that only those do who may push.
  void Accepted(const Proof& proof, bool wrote);

 private:
  Attempt Begin();
  Result<std::optional<Proof>> Answer(const Challenge& challenge,
                                      const Attempt& from,
                                      const Cancel& cancel);
  Result<std::optional<Proof>> AnswerBearer(const Challenge& challenge,
                                            const Attempt& from,
                                            const Cancel& cancel);
  Result<std::optional<Proof>> AnswerBasic(const Attempt& from, const Cancel& cancel);

  http::HttpClient& client_;
  Keyring& keyring_;
  const Need need_;
  const std::string scope_;

  std::mutex mutex_;
  std::optional<Challenge> challenge_;
  std::optional<Attempt> good_;  ///< what was let in last
};

}  // namespace depot::registry
