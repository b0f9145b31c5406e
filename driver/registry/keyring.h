#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "driver/registry/credentials.h"
#include "driver/registry/token_cache.h"

namespace depot::registry {

/// What somebody wants of a registry, and credentials are tried for.
struct Need {
  std::string host;        ///< as in CredentialSource::Lookup()
  std::string repository;  ///< "" = nothing of one repository
  bool push = false;
};

/// What a token with these scopes is wanted for: pushing, if one of them says so.
Need NeedOf(std::string host, const std::vector<std::string>& scopes);

/// How far one need has got with the credentials for its host: each is tried once. A value.
class Attempt {
 public:
  /// The sources of the credentials taken so far, the last one being what is tried now.
  const std::vector<std::string>& sources() const { return sources_; }

  /// A new attempt that begins with the credential taken last.
  Attempt Again() const;

 private:
  friend class Keyring;

  std::optional<int> first_;  ///< tried before all others
  int turn_ = 0;
  int nth_ = 0;         ///< the one taken last, as in CredentialSource::Lookup()
  bool ended_ = false;  ///< all were tried, and this one is taken although none is good
  std::vector<std::string> sources_;
};

/// The sources for a sentence with "the credentials of": "DOCKER_AUTH_CONFIG and of config.json".
std::string SourcesOf(const Attempt& attempt);

/// A token, and how it was come by.
struct Grant {
  Token token;
  Attempt attempt;     ///< goes on from here if the registry refuses it
  bool fresh = false;  ///< it was fetched now, and not kept from before
};

/// What a whole build knows about getting into registries: the user's credentials, which of them
/// was found to be good for pushing, and the tokens got with them. A credential of one host is
/// never shown to another. Any thread.
class Keyring {
 public:
  using Fetch = std::function<Result<Token>(const std::optional<Credential>&)>;

  /// `credentials` outlives it. `say` gets a line when another credential than the first is used;
  /// may be empty.
  Keyring(CredentialSource& credentials, std::function<void(std::string)> say);

  /// Begins with the credential that was found good for pushing, if that is needed. nullopt: there
  /// is none, or it is not: begin with the first.
  std::optional<Attempt> Good(const Need& need) const;

  /// Takes the next credential. nullopt: there are no more; the first time: none are configured.
  Result<std::optional<Credential>> Next(const Need& need,
                                         Attempt& attempt,
                                         const Cancel& cancel) const;

  /// A repository will be pushed to, which decides what is Best() there as long as nothing was.
  void WillPush(const std::string& host, const std::string& repository);

  /// The credential to hand out to somebody who takes only one per host: the one last found good
  /// for pushing anything there, else the first of the first repository that WillPush() named, else
  /// the host's first. nullopt: none are configured.
  Result<std::optional<Credential>> Best(const std::string& host, const Cancel& cancel) const;

  /// A token for `wanted` from the first credential, in the order of `attempt`, that the token
  /// server does not refuse and that it lets push, if that is wanted (MayPush()). When it lets none
  /// of them push, the first one's token: the registry decides. Anonymous without credentials.
  /// `fetch` is called for what is not kept. nullopt: the attempt was at its end already.
  Result<std::optional<Grant>> GetToken(const Need& need,
                                        const TokenRequest& wanted,
                                        Attempt attempt,
                                        const Fetch& fetch,
                                        const Cancel& cancel);

  /// The registry refused the attempt's token, which is not given out again.
  void Forget(const Need& need,
              const TokenRequest& wanted,
              const Attempt& attempt,
              const Secret& token);

  /// Something that used tokens failed for a reason that nobody knows: none of them is given out
  /// again.
  void ForgetTokens() { tokens_.ForgetAll(); }

  /// The attempt's last credential was let in, as far as the caller can know. Says so when others
  /// were refused before it. With `wrote`, something was written: it is good for pushing.
  void Accepted(const Need& need, const Attempt& attempt, bool wrote);

 private:
  void SaySwitch(const Need& need, const Attempt& attempt);

  CredentialSource& credentials_;
  const std::function<void(std::string)> say_;
  TokenCache tokens_;

  mutable std::mutex mutex_;
  std::map<std::pair<std::string, std::string>, int> good_to_push_;  ///< by host and repository
  std::map<std::string, std::string> pushed_to_;  ///< the repository that was, or will be, by host
  std::set<std::string> said_;
};

}  // namespace depot::registry
