#include "driver/registry/token_cache.h"

#include "driver/base/text.h"

namespace depot::registry {
namespace {

// A token about to expire would be refused while the builder still uses it.
constexpr std::int64_t kMarginSeconds = 10;
constexpr std::size_t kMaxTokens = 1000;

}  // namespace

std::string TokenKey(const std::string& host, const TokenRequest& request) {
  return Cat(host, '\n', request.realm, '\n', request.service, '\n', Join(request.scopes, " "));
}

Result<Token> TokenCache::Get(const std::string& key, const Fetch& fetch, const Cancel& cancel) {
  std::unique_lock lock(mutex_);
  auto idle = [&] {
    auto found = entries_.find(key);
    return found == entries_.end() || !found->second.fetching;
  };
  if (!cancel.Wait(lock, changed_, idle)) return Fail(cancel.error());
  if (auto found = entries_.find(key); found != entries_.end()) {
    auto age = std::chrono::duration_cast<std::chrono::seconds>(Cancel::Clock::now() -
                                                                found->second.fetched);
    Token token = found->second.token;
    if (age.count() + kMarginSeconds < token.expires_in) {
      // With a time of issue the builder counts from there, without from now.
      if (token.issued_at == 0) token.expires_in -= age.count();
      return token;
    }
  }
  if (entries_.size() >= kMaxTokens) {
    std::erase_if(entries_, [](const auto& entry) { return !entry.second.fetching; });
  }
  entries_[key].fetching = true;
  lock.unlock();
  Cancel::Clock::time_point asked = Cancel::Clock::now();
  Result<Token> token = fetch();
  lock.lock();
  if (token) {
    entries_[key] = {false, *token, asked};
  } else {
    entries_.erase(key);
  }
  changed_.notify_all();
  return token;
}

void TokenCache::Forget(const std::string& key, const Secret& refused) {
  std::lock_guard lock(mutex_);
  auto found = entries_.find(key);
  if (found == entries_.end() || found->second.fetching) return;
  if (found->second.token.token == refused) entries_.erase(found);
}

}  // namespace depot::registry
