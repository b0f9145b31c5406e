#include "driver/registry/authorizer.h"

#include <algorithm>

#include "driver/base/text.h"
#include "driver/registry/refusal.h"
#include "driver/registry/token.h"

namespace depot::registry {
namespace {

constexpr std::string_view kBearer = "bearer";
constexpr std::string_view kBasic = "basic";
constexpr std::string_view kClientId = "docker-depot";

/// Bearer before Basic: with it the password goes to the token server alone.
std::optional<Challenge> Choose(const http::Response& response) {
  std::optional<Challenge> basic;
  for (const auto& [name, value] : response.headers) {
    if (name != "www-authenticate") continue;
    for (Challenge& challenge : ParseChallenges(value)) {
      if (challenge.scheme == kBearer && !challenge.Parameter("realm").empty()) return challenge;
      if (challenge.scheme == kBasic && !basic) basic = std::move(challenge);
    }
  }
  return basic;
}

/// "repository:a/b" of "repository:a/b:pull".
std::string_view ResourceOf(std::string_view scope) {
  return scope.substr(0, scope.rfind(':'));
}

/// A registry behind a path prefix knows the repository by another name than its clients do, so
/// what it asks for is wanted as well.
TokenRequest Wanted(const Challenge& challenge, const std::string& scope) {
  TokenRequest wanted;
  wanted.realm = challenge.Parameter("realm");
  wanted.service = challenge.Parameter("service");
  wanted.scopes = {scope};
  std::string asked = challenge.Parameter("scope");
  for (std::string_view part : Split(asked, ' ')) {
    bool known =
        std::any_of(wanted.scopes.begin(), wanted.scopes.end(),
                    [&](const std::string& one) { return ResourceOf(one) == ResourceOf(part); });
    if (!part.empty() && !known) wanted.scopes.emplace_back(part);
  }
  wanted.client_id = kClientId;
  return wanted;
}

/// Whether it is answered in the same way.
bool SameQuestion(const Challenge& one, const Challenge& other, const std::string& scope) {
  if (one.scheme != other.scheme) return false;
  TokenRequest a = Wanted(one, scope);
  TokenRequest b = Wanted(other, scope);
  return a.realm == b.realm && a.service == b.service && a.scopes == b.scopes;
}

}  // namespace

Authorizer::Authorizer(http::HttpClient& client,
                       Keyring& keyring,
                       std::string host,
                       std::string scope)
    : client_(client),
      keyring_(keyring),
      need_(NeedOf(std::move(host), {scope})),
      scope_(std::move(scope)) {}

Attempt Authorizer::Begin() {
  if (std::optional<Attempt> good = keyring_.Good(need_)) return *good;
  std::lock_guard lock(mutex_);
  return good_ ? good_->Again() : Attempt();
}

Result<Proof> Authorizer::Prove(const Cancel& cancel) {
  std::optional<Challenge> challenge;
  {
    std::lock_guard lock(mutex_);
    challenge = challenge_;
  }
  if (!challenge) return Proof();
  TRY_ASSIGN(std::optional<Proof> proof, Answer(*challenge, Begin(), cancel));
  return proof.value_or(Proof());
}

Result<std::optional<Proof>> Authorizer::ProveAgain(const http::Response& response,
                                                    const Proof& proof,
                                                    const Cancel& cancel) {
  std::optional<Challenge> before;
  std::optional<Challenge> now = Choose(response);
  {
    std::lock_guard lock(mutex_);
    before = challenge_;
    // A 403 need not repeat the challenge.
    if (now) challenge_ = now;
  }
  if (!now) now = before;
  if (!now) return std::nullopt;
  if (!proof.basic && !proof.bearer) return Answer(*now, Begin(), cancel);
  if (proof.bearer && before) {
    keyring_.Forget(need_, Wanted(*before, scope_), proof.attempt, *proof.bearer);
  }
  bool kept = proof.bearer && !proof.fresh;
  bool asks_otherwise = !before || !SameQuestion(*before, *now, scope_);
  bool renew = (kept || asks_otherwise) && !proof.renewed;
  TRY_ASSIGN(auto next, Answer(*now, renew ? proof.before : proof.attempt, cancel));
  if (next) next->renewed = renew;
  return next;
}

void Authorizer::Accepted(const Proof& proof, bool wrote) {
  if (!proof.basic && !proof.bearer) return;
  keyring_.Accepted(need_, proof.attempt, wrote);
  std::lock_guard lock(mutex_);
  good_ = proof.attempt;
}

Result<std::optional<Proof>> Authorizer::Answer(const Challenge& challenge,
                                                const Attempt& from,
                                                const Cancel& cancel) {
  return challenge.scheme == kBearer ? AnswerBearer(challenge, from, cancel)
                                     : AnswerBasic(from, cancel);
}

Result<std::optional<Proof>> Authorizer::AnswerBearer(const Challenge& challenge,
                                                      const Attempt& from,
                                                      const Cancel& cancel) {
  TokenRequest wanted = Wanted(challenge, scope_);
  auto fetch = [&](const std::optional<Credential>& credential) {
    return FetchToken(client_, wanted, credential, cancel);
  };
  TRY_ASSIGN(auto grant, keyring_.GetToken(need_, wanted, from, fetch, cancel));
  if (!grant) return std::nullopt;
  Proof proof;
  proof.bearer = std::move(grant->token.token);
  proof.before = from;
  proof.attempt = std::move(grant->attempt);
  proof.fresh = grant->fresh;
  return proof;
}

Result<std::optional<Proof>> Authorizer::AnswerBasic(const Attempt& from, const Cancel& cancel) {
  Proof proof;
  proof.before = from;
  proof.attempt = from;
  std::optional<Error> unfit;
  for (;;) {
    TRY_ASSIGN(auto credential, keyring_.Next(need_, proof.attempt, cancel));
    if (!credential && unfit && from.sources().empty()) return Fail(std::move(*unfit));
    if (!credential) return std::nullopt;
    if (!credential->username.empty() && !credential->password.empty()) {
      proof.basic = {credential->username, credential->password};
      return proof;
    }
    unfit = Error(ErrorCode::kDenied, Cat("the registry ", need_.host,
                                          " wants a user name and a password, and the "
                                          "credentials of ",
                                          credential->source, " are a token without them"))
                .WithHint(Cat("log in with them: ", LoginCommand(need_.host)))
                .At(FailedAt::kAuthentication);
  }
}

}  // namespace depot::registry
