#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <string>

#include "driver/base/cancel.h"
#include "driver/registry/token.h"

namespace depot::registry {

/// What a token is kept by: what it lets in where, and from whom it is; not who asked for it.
std::string TokenKey(const std::string& host, const TokenRequest& request);

/// Registry tokens by what was asked for. Who asks for a token that is being fetched waits for it,
/// so that a token server sees one request where a builder makes ten. Any thread.
class TokenCache {
 public:
  using Fetch = std::function<Result<Token>()>;

  /// The kept token with the seconds it has left, or what `fetch` brings. Failures are not kept.
  Result<Token> Get(const std::string& key, const Fetch& fetch, const Cancel& cancel);

  /// Drops `refused`, which a registry did not accept; a token that replaced it stays.
  void Forget(const std::string& key, const Secret& refused);

 private:
  struct Entry {
    bool fetching = false;
    Token token;
    Cancel::Clock::time_point fetched;
  };

  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::map<std::string, Entry> entries_;
};

}  // namespace depot::registry
