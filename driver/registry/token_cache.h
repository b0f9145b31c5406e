#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <string>

#include "driver/base/cancel.h"
#include "driver/registry/token.h"

namespace depot::registry {

/// What a token is kept by: what it lets in where, from whom it is, and with which of the host's
/// credentials it was got (CredentialSource::Lookup()); not who asked for it.
std::string TokenKey(const std::string& host, const TokenRequest& request, int credential);

/// Registry tokens by what was asked for. Who asks for a token that is being fetched waits for it,
/// so that a token server sees one request where a builder makes ten. Any thread.
class TokenCache {
 public:
  using Fetch = std::function<Result<Token>()>;

  /// The kept token, or what `fetch` brings when it has less than 10 s or a quarter of its life
  /// left. Its `expires_in` is what it has left from now, `issued_at` is now by our clock. Failures
  /// are not kept.
  Result<Token> Get(const std::string& key, const Fetch& fetch, const Cancel& cancel);

  /// Drops all that are kept.
  void ForgetAll();

  /// Drops `refused`, which a registry did not accept; a token that replaced it stays.
  void Forget(const std::string& key, const Secret& refused);

 private:
  struct Entry {
    bool fetching = false;
    Secret token;
    std::int64_t life = 0;  ///< seconds
    Cancel::Clock::time_point expires;
  };

  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::map<std::string, Entry> entries_;
};

}  // namespace depot::registry
