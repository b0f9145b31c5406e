#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <string>

#include "driver/base/cancel.h"
#include "driver/registry/token.h"

namespace depot::session {

/// Registry tokens by what was asked for. Who asks for a token that is being fetched waits for it,
/// so that a token server sees one request where a builder makes ten. Any thread.
class TokenCache {
 public:
  using Fetch = std::function<Result<registry::Token>()>;

  /// The kept token with the seconds it has left, or what `fetch` brings. Failures are not kept.
  Result<registry::Token> Get(const std::string& key, const Fetch& fetch, const Cancel& cancel);

 private:
  struct Entry {
    bool fetching = false;
    registry::Token token;
    Cancel::Clock::time_point fetched;
  };

  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::map<std::string, Entry> entries_;
};

}  // namespace depot::session
