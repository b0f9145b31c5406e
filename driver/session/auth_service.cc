#include <set>

#include "proto/session.pb.h"

#include "driver/base/random.h"
#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/event/step.h"
#include "driver/registry/token.h"
#include "driver/session/services.h"
#include "driver/session/token_authority.h"

namespace depot::session {
namespace {

constexpr std::size_t kSeedSize = 16;
constexpr std::size_t kMaxShown = 1000;

std::string TokenStepName(const std::string& host, const std::vector<std::string>& scopes) {
  std::string joined = Join(scopes, " ");
  std::string_view text = joined;
  constexpr std::string_view kPrefix = "repository:";
  if (text.starts_with(kPrefix)) text.remove_prefix(kPrefix.size());
  return Printable(Cat("[auth] ", text, " token for ", host));
}

}  // namespace

class Auth {
 public:
  Auth(registry::Keyring& keyring, http::HttpClient& client, EventSink& sink)
      : keyring_(keyring), client_(client), sink_(sink) {}

  Result<> Answer(const CredentialsRequest& request,
                  CredentialsResponse& response,
                  const Cancel& cancel) {
    TRY_ASSIGN(std::optional<registry::Credential> found, keyring_.Best(request.host(), cancel));
    if (!found) return {};
    const Secret& secret = found->identity_token.empty() ? found->password : found->identity_token;
    if (secret.empty()) return {};
    // A secret without a user name is what tells an identity token (authprovider.go).
    if (found->identity_token.empty()) response.set_username(found->username);
    response.set_secret(std::string(secret.Reveal()));
    SaySharing(request.host());
    return {};
  }

  Result<> Answer(const FetchTokenRequest& request,
                  FetchTokenResponse& response,
                  const Cancel& cancel) {
    registry::TokenRequest wanted{request.realm(),
                                  request.service(),
                                  {request.scopes().begin(), request.scopes().end()},
                                  request.client_id()};
    registry::Need need = registry::NeedOf(request.host(), wanted.scopes);
    TRY_ASSIGN(registry::Token token, Fetch(need, wanted, cancel));
    response.set_token(std::string(token.token.Reveal()));
    response.set_expires_in(token.expires_in);
    response.set_issued_at(token.issued_at);
    return {};
  }

  Result<> Answer(const GetTokenAuthorityRequest& request,
                  GetTokenAuthorityResponse& response,
                  const Cancel& cancel) {
    TRY_ASSIGN(Secret seed, SeedOf(request.host(), cancel));
    TRY_ASSIGN(*response.mutable_public_key(), AuthorityPublicKey(seed, request.salt()));
    return {};
  }

  Result<> Answer(const VerifyTokenAuthorityRequest& request,
                  VerifyTokenAuthorityResponse& response,
                  const Cancel& cancel) {
    TRY_ASSIGN(Secret seed, SeedOf(request.host(), cancel));
    TRY_ASSIGN(*response.mutable_signed_(), AuthoritySign(seed, request.salt(), request.payload()));
    return {};
  }

 private:
  Result<registry::Token> Fetch(const registry::Need& need,
                                const registry::TokenRequest& wanted,
                                const Cancel& cancel) {
    std::string name = TokenStepName(need.host, wanted.scopes);
    std::optional<Step> step;
    // What the builder gets is shown, also when somebody else here has fetched it already.
    if (IsFirst(name)) step.emplace(sink_, name);
    auto fetch = [&](const std::optional<registry::Credential>& credential) {
      if (!step) step.emplace(sink_, name);
      auto say = [&step](std::string line) { step->Log(std::move(line)); };
      return registry::FetchTokenPatiently(client_, wanted, credential, say, cancel);
    };
    auto begin = keyring_.Good(need).value_or(registry::Attempt());
    auto grant = keyring_.GetToken(need, wanted, begin, fetch, cancel);
    if (step) grant = step->Finish(std::move(grant));
    TRY(grant);
    keyring_.Accepted(need, (*grant)->attempt, false);
    return std::move((*grant)->token);
  }

  /// Empty for a host without credentials: whoever has none is the same to the builder.
  Result<Secret> SeedOf(const std::string& host, const Cancel& cancel) {
    TRY_ASSIGN(std::optional<registry::Credential> found, keyring_.Best(host, cancel));
    if (!found) return Secret();
    std::lock_guard lock(mutex_);
    Secret& seed = seeds_[host];
    if (seed.empty()) seed = Secret(RandomBytes(kSeedSize));
    return seed;
  }

  void SaySharing(const std::string& host) {
    std::string name = Printable(Cat("[auth] sharing credentials for ", host));
    if (IsFirst(name)) Step(sink_, name).Done();
  }

  bool IsFirst(const std::string& step) {
    std::lock_guard lock(mutex_);
    return shown_.size() < kMaxShown && shown_.insert(step).second;
  }

  registry::Keyring& keyring_;
  http::HttpClient& client_;
  EventSink& sink_;
  std::mutex mutex_;
  std::map<std::string, Secret> seeds_;
  std::set<std::string> shown_;  ///< names of steps
};

namespace {

template <typename Request, typename Response>
void AddMethod(rpc::ServiceTable& table,
               const std::string& name,
               const std::shared_ptr<Auth>& auth) {
  auto handler = [auth](const rpc::Metadata&, const std::string& request, std::string& response,
                        const Cancel& cancel) -> rpc::Status {
    Request asked;
    if (!asked.ParseFromString(request)) {
      return {rpc::Code::kInvalidArgument, "malformed request", ""};
    }
    Response answer;
    if (Result<> done = auth->Answer(asked, answer, cancel); !done) {
      return rpc::ToStatus(done.error());
    }
    answer.SerializeToString(&response);
    return {};
  };
  table.Add("/moby.filesync.v1.Auth/" + name, rpc::UnaryHandler(handler));
}

}  // namespace

std::shared_ptr<Auth> MakeAuth(registry::Keyring& keyring,
                               http::HttpClient& client,
                               EventSink& sink) {
  return std::make_shared<Auth>(keyring, client, sink);
}

void AddAuth(rpc::ServiceTable& table, const std::shared_ptr<Auth>& auth) {
  AddMethod<CredentialsRequest, CredentialsResponse>(table, "Credentials", auth);
  AddMethod<FetchTokenRequest, FetchTokenResponse>(table, "FetchToken", auth);
  AddMethod<GetTokenAuthorityRequest, GetTokenAuthorityResponse>(table, "GetTokenAuthority", auth);
  AddMethod<VerifyTokenAuthorityRequest, VerifyTokenAuthorityResponse>(
      table, "VerifyTokenAuthority", auth);
}

}  // namespace depot::session
