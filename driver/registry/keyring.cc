#include "driver/registry/keyring.h"

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/registry/scope.h"

namespace depot::registry {
namespace {

/// The Docker Hub under one name.
std::string Canonical(const std::string& host) {
  std::string lower = LowerAscii(host);
  return lower == "docker.io" || lower == "index.docker.io" ? "registry-1.docker.io" : lower;
}

}  // namespace

Need NeedOf(std::string host, const std::vector<std::string>& scopes) {
  Need need{std::move(host), "", false};
  for (const std::string& text : scopes) {
    Scope scope = ParseScope(text);
    bool better = scope.pushes() || need.repository.empty();
    if (need.push || !better || scope.type != "repository") continue;
    need.repository = scope.name;
    need.push = scope.pushes();
  }
  return need;
}

Attempt Attempt::Again() const {
  Attempt again;
  if (!sources_.empty()) again.first_ = nth_;
  return again;
}

std::string SourcesOf(const Attempt& attempt) {
  return Join(attempt.sources(), " and of ");
}

Keyring::Keyring(CredentialSource& credentials, std::function<void(std::string)> say)
    : credentials_(credentials), say_(std::move(say)) {}

std::optional<Attempt> Keyring::Good(const Need& need) const {
  if (!need.push) return std::nullopt;
  std::lock_guard lock(mutex_);
  auto found = good_to_push_.find({Canonical(need.host), need.repository});
  if (found == good_to_push_.end()) return std::nullopt;
  Attempt attempt;
  attempt.first_ = found->second;
  return attempt;
}

Result<std::optional<Credential>> Keyring::Next(const Need& need,
                                                Attempt& attempt,
                                                const Cancel& cancel) const {
  if (attempt.ended_) return std::nullopt;
  int turn = attempt.turn_++;
  int nth = turn;
  if (attempt.first_) {
    if (turn == 0)
      nth = *attempt.first_;
    else if (turn <= *attempt.first_)
      nth = turn - 1;
  }
  TRY_ASSIGN(std::optional<Credential> found,
             credentials_.Lookup(need.host, need.repository, nth, cancel));
  if (found) {
    attempt.nth_ = nth;
    attempt.sources_.push_back(found->source);
    return found;
  }
  // What was good before may be gone: a helper need not give the same every time.
  if (turn > 0 || nth == 0) return found;
  attempt = Attempt();
  return Next(need, attempt, cancel);
}

void Keyring::WillPush(const std::string& host, const std::string& repository) {
  std::lock_guard lock(mutex_);
  pushed_to_.emplace(Canonical(host), repository);
}

Result<std::optional<Credential>> Keyring::Best(const std::string& host,
                                                const Cancel& cancel) const {
  Need need{host, "", true};
  {
    std::lock_guard lock(mutex_);
    auto found = pushed_to_.find(Canonical(host));
    if (found != pushed_to_.end()) need.repository = found->second;
  }
  Attempt attempt = Good(need).value_or(Attempt());
  return Next(need, attempt, cancel);
}

Result<std::optional<Grant>> Keyring::GetToken(const Need& need,
                                               const TokenRequest& wanted,
                                               Attempt attempt,
                                               const Fetch& fetch,
                                               const Cancel& cancel) {
  bool begins = attempt.turn_ == 0;
  std::optional<Grant> first;
  std::optional<Error> refusal;
  for (;;) {
    TRY_ASSIGN(std::optional<Credential> credential, Next(need, attempt, cancel));
    bool anonymous = begins && attempt.sources_.empty();
    if (!credential && !anonymous) break;
    // An error names all who were refused.
    if (credential) credential->source = SourcesOf(attempt);
    bool fresh = false;
    auto fetch_now = [&] {
      fresh = true;
      return fetch(credential);
    };
    std::string key = TokenKey(need.host, wanted, attempt.nth_);
    Result<Token> token = tokens_.Get(key, fetch_now, cancel);
    if (!token && (anonymous || token.error().code() != ErrorCode::kDenied)) {
      return Fail(std::move(token).error());
    }
    if (!token) {
      refusal = std::move(token).error();
    } else if (anonymous || MayPush(token->token, wanted.scopes)) {
      return Grant{std::move(*token), attempt, fresh};
    } else if (!first) {
      first = Grant{std::move(*token), attempt, fresh};
    }
  }
  if (first) {
    first->attempt.ended_ = true;
    first->attempt.sources_ = attempt.sources_;
    return first;
  }
  if (refusal) return Fail(std::move(*refusal));
  return std::nullopt;
}

void Keyring::Forget(const Need& need,
                     const TokenRequest& wanted,
                     const Attempt& attempt,
                     const Secret& token) {
  tokens_.Forget(TokenKey(need.host, wanted, attempt.nth_), token);
}

void Keyring::Accepted(const Need& need, const Attempt& attempt, bool wrote) {
  if (attempt.sources_.empty()) return;
  SaySwitch(need, attempt);
  if (!wrote || !need.push) return;
  std::lock_guard lock(mutex_);
  std::string host = Canonical(need.host);
  good_to_push_[{host, need.repository}] = attempt.nth_;
  pushed_to_[host] = need.repository;
}

void Keyring::SaySwitch(const Need& need, const Attempt& attempt) {
  const std::vector<std::string>& sources = attempt.sources_;
  if (sources.size() < 2 || attempt.ended_ || !say_) return;
  std::vector<std::string> refused(sources.begin(), sources.end() - 1);
  std::string what = " was refused";
  if (!need.repository.empty()) {
    what = Cat(need.push ? " may not push to " : " may not pull from ", need.repository);
  }
  std::string line = Printable(Cat(Join(refused, "'s and "), "'s credential for ", need.host, what,
                                   "; using ", sources.back(), "'s"));
  {
    std::lock_guard lock(mutex_);
    if (!said_.insert(line).second) return;
  }
  say_(std::move(line));
}

}  // namespace depot::registry
