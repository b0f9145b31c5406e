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

}  // namespace

Authorizer::Authorizer(http::HttpClient& client,
                       CredentialSource& credentials,
                       TokenCache& tokens,
                       std::string host,
                       std::string scope)
    : client_(client),
      credentials_(credentials),
      tokens_(tokens),
      host_(std::move(host)),
      scope_(std::move(scope)) {}

Result<Proof> Authorizer::Prove(const Cancel& cancel) {
  std::optional<Challenge> challenge;
  {
    std::lock_guard lock(mutex_);
    challenge = challenge_;
  }
  Proof proof;
  if (!challenge) return proof;
  if (challenge->scheme == kBearer) {
    TRY_ASSIGN(proof.bearer, GetToken(Wanted(*challenge, scope_), cancel));
    return proof;
  }
  TRY_ASSIGN(std::optional<Credential> credential, credentials_.Lookup(host_, cancel));
  if (!credential) return proof;
  if (credential->username.empty() || credential->password.empty()) {
    return Fail(Error(ErrorCode::kDenied, Cat("the registry ", host_,
                                              " wants a user name and a password, and the "
                                              "credentials of ",
                                              credential->source, " are a token without them"))
                    .WithHint(Cat("log in with them: ", LoginCommand(host_))));
  }
  proof.basic = {credential->username, credential->password};
  return proof;
}

Result<Secret> Authorizer::GetToken(const TokenRequest& wanted, const Cancel& cancel) {
  auto fetch = [&]() -> Result<Token> {
    TRY_ASSIGN(std::optional<Credential> credential, credentials_.Lookup(host_, cancel));
    return FetchToken(client_, wanted, credential, cancel);
  };
  TRY_ASSIGN(Token token, tokens_.Get(TokenKey(host_, wanted), fetch, cancel));
  return std::move(token.token);
}

bool Authorizer::Refused(const http::Response& response, const Proof& proof) {
  std::optional<Challenge> chosen = Choose(response);
  if (!chosen) return false;
  std::lock_guard lock(mutex_);
  if (proof.bearer && challenge_) {
    tokens_.Forget(TokenKey(host_, Wanted(*challenge_, scope_)), *proof.bearer);
  }
  challenge_ = std::move(chosen);
  return true;
}

std::string Authorizer::SourceOfCredentials(const Cancel& cancel) {
  auto credential = credentials_.Lookup(host_, cancel);
  return credential && *credential ? (*credential)->source : "";
}

}  // namespace depot::registry
