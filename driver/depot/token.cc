#include "driver/depot/token.h"

#include <algorithm>

#include "driver/base/environment.h"
#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/depot/login_file.h"
#include "driver/depot/oidc.h"

namespace depot::api {
namespace {

/// The first of `names` that is set, as a token.
std::optional<Token> FromVariables(const Environment& environment,
                                   std::initializer_list<const char*> names) {
  for (const char* name : names) {
    std::string value = TrimmedVariable(environment, name);
    if (!value.empty()) return Token{Secret(std::move(value)), name};
  }
  return std::nullopt;
}

Result<std::optional<Token>> Find(const std::string& flag,
                                  const Environment& environment,
                                  http::HttpClient& client,
                                  const Cancel& cancel) {
  if (!flag.empty()) return Token{Secret(std::string(Trim(flag))), "--token"};
  if (auto token = FromVariables(environment, {"DEPOT_TOKEN", "DEPOT_API_TOKEN"})) return token;
  const std::string file = LoginFile(environment);
  TRY_ASSIGN(Secret stored, OfSetting("", ReadLogin(file)));
  if (!stored.empty()) return Token{std::move(stored), file};
  TRY_ASSIGN(auto vouched, FindOidcToken(environment, client, cancel));
  if (vouched) return vouched;
  return FromVariables(environment, {"DEPOT_JIT_TOKEN", "DEPOT_CACHE_TOKEN"});
}

/// What was pasted wrongly, without what it is: it may be most of a secret.
std::string_view WrongWith(std::string_view token) {
  if (token.empty()) return "is empty";
  const bool odd = std::any_of(token.begin(), token.end(),
                               [](unsigned char c) { return c <= ' ' || c >= 0x7f; });
  return odd ? "has a blank, a line break or another character that no token has" : "";
}

}  // namespace

Result<std::optional<Token>> FindToken(const std::string& flag,
                                       const Environment& environment,
                                       http::HttpClient& client,
                                       const Cancel& cancel) {
  TRY_ASSIGN(auto token, Find(flag, environment, client, cancel));
  const std::string_view wrong = token ? WrongWith(token->value.Reveal()) : "";
  if (wrong.empty()) return token;
  return Fail(Error(ErrorCode::kInvalid, Cat(Printable(token->source), ": the token ", wrong))
                  .WithHint("is it the whole token, and nothing else?")
                  .At(FailedAt::kSettings));
}

std::string TokenSetting(const std::string& flag, const Environment& environment) {
  if (!flag.empty()) return "--token is given";
  if (auto token = FromVariables(environment, {"DEPOT_TOKEN", "DEPOT_API_TOKEN"})) {
    return Cat(token->source, " is set");
  }
  const std::string file = LoginFile(environment);
  // One that cannot be read counts: whoever uses it will say what is wrong.
  Result<Secret> stored = ReadLogin(file);
  if (!stored || !stored->empty()) return Cat("a login is stored in ", Printable(file));
  const bool gitlab = !TrimmedVariable(environment, "GITLAB_CI").empty();
  if (gitlab && !TrimmedVariable(environment, "DEPOT_OIDC_TOKEN").empty())
    return "DEPOT_OIDC_TOKEN is set";
  auto token = FromVariables(environment, {"DEPOT_JIT_TOKEN", "DEPOT_CACHE_TOKEN"});
  return token ? Cat(token->source, " is set") : "";
}

std::string HowToGiveAToken() {
  return "set DEPOT_TOKEN (or, in GitLab, the id token DEPOT_OIDC_TOKEN), give --token, or log in "
         "with `docker depot login`";
}

}  // namespace depot::api
