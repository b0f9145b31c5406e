#include "driver/registry/token_cache.h"

#include <algorithm>
#include <ctime>

#include "driver/base/text.h"

namespace depot::registry {
namespace {

using std::chrono::seconds;

// A token about to expire would be refused while the builder still uses it.
constexpr std::int64_t kMarginSeconds = 10;
constexpr std::int64_t kMarginPart = 4;
constexpr std::size_t kMaxTokens = 1000;

/// How old a token was already when it came: a token server may keep tokens too. A time that makes
/// it expired is that of a clock which differs from ours.
std::int64_t AgeOf(const Token& token) {
  std::int64_t age = token.issued_at == 0 ? 0 : std::time(nullptr) - token.issued_at;
  return age > 0 && age < token.expires_in ? age : 0;
}

}  // namespace

std::string TokenKey(const std::string& host, const TokenRequest& request, int credential) {
  return Cat(host, '\n', request.realm, '\n', request.service, '\n', Join(request.scopes, " "),
             '\n', credential);
}

Result<Token> TokenCache::Get(const std::string& key, const Fetch& fetch, const Cancel& cancel) {
  std::unique_lock lock(mutex_);
  auto idle = [&] {
    auto found = entries_.find(key);
    return found == entries_.end() || !found->second.fetching;
  };
  if (!cancel.Wait(lock, changed_, idle)) return Fail(cancel.error());
  if (auto found = entries_.find(key); found != entries_.end()) {
    const Entry& entry = found->second;
    auto left = std::chrono::floor<seconds>(entry.expires - Cancel::Clock::now()).count();
    if (left > std::max(kMarginSeconds, entry.life / kMarginPart)) {
      return Token{entry.token, left, std::time(nullptr)};
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
    std::int64_t life = token->expires_in;
    token->expires_in -= AgeOf(*token);
    token->issued_at = std::time(nullptr);
    entries_[key] = {false, token->token, life, asked + seconds(token->expires_in)};
  } else {
    entries_.erase(key);
  }
  changed_.notify_all();
  return token;
}

void TokenCache::ForgetAll() {
  std::lock_guard lock(mutex_);
  std::erase_if(entries_, [](const auto& entry) { return !entry.second.fetching; });
}

void TokenCache::Forget(const std::string& key, const Secret& refused) {
  std::lock_guard lock(mutex_);
  auto found = entries_.find(key);
  if (found == entries_.end() || found->second.fetching) return;
  if (found->second.token == refused) entries_.erase(found);
}

}  // namespace depot::registry
