#include <set>

#include "proto/session.pb.h"

#include "driver/base/random.h"
#include "driver/base/text.h"
#include "driver/event/step.h"
#include "driver/registry/token.h"
#include "driver/registry/token_cache.h"
#include "driver/session/services.h"
#include "driver/session/token_authority.h"

namespace depot::session {
namespace {

constexpr std::size_t kSeedSize = 16;

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
  Auth(registry::CredentialSource& credentials,
       http::HttpClient& client,
       std::shared_ptr<registry::TokenCache> tokens,
       EventSink& sink)
      : credentials_(credentials), client_(client), tokens_(std::move(tokens)), sink_(sink) {}

  Result<> Answer(const CredentialsRequest& request,
                  CredentialsResponse& response,
                  const Cancel& cancel) {
    TRY_ASSIGN(std::optional<registry::Credential> found,
               credentials_.Lookup(request.host(), cancel));
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
    auto fetch = [&] { return Fetch(request.host(), wanted, cancel); };
    TRY_ASSIGN(registry::Token token,
               tokens_->Get(registry::TokenKey(request.host(), wanted), fetch, cancel));
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
  Result<registry::Token> Fetch(const std::string& host,
                                const registry::TokenRequest& wanted,
                                const Cancel& cancel) {
    TRY_ASSIGN(std::optional<registry::Credential> credential, credentials_.Lookup(host, cancel));
    Step step(sink_, TokenStepName(host, wanted.scopes));
    return step.Finish(registry::FetchToken(client_, wanted, credential, cancel));
  }

  /// Empty for a host without credentials: whoever has none is the same to the builder.
  Result<Secret> SeedOf(const std::string& host, const Cancel& cancel) {
    TRY_ASSIGN(std::optional<registry::Credential> found, credentials_.Lookup(host, cancel));
    if (!found) return Secret();
    std::lock_guard lock(mutex_);
    Secret& seed = seeds_[host];
    if (seed.empty()) seed = Secret(RandomBytes(kSeedSize));
    return seed;
  }

  void SaySharing(const std::string& host) {
    {
      std::lock_guard lock(mutex_);
      if (!shared_.insert(host).second) return;
    }
    Step(sink_, Printable(Cat("[auth] sharing credentials for ", host))).Done();
  }

  registry::CredentialSource& credentials_;
  http::HttpClient& client_;
  const std::shared_ptr<registry::TokenCache> tokens_;
  EventSink& sink_;
  std::mutex mutex_;
  std::map<std::string, Secret> seeds_;
  std::set<std::string> shared_;
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

std::shared_ptr<Auth> MakeAuth(registry::CredentialSource& credentials,
                               http::HttpClient& client,
                               std::shared_ptr<registry::TokenCache> tokens,
                               EventSink& sink) {
  return std::make_shared<Auth>(credentials, client, std::move(tokens), sink);
}

void AddAuth(rpc::ServiceTable& table, const std::shared_ptr<Auth>& auth) {
  AddMethod<CredentialsRequest, CredentialsResponse>(table, "Credentials", auth);
  AddMethod<FetchTokenRequest, FetchTokenResponse>(table, "FetchToken", auth);
  AddMethod<GetTokenAuthorityRequest, GetTokenAuthorityResponse>(table, "GetTokenAuthority", auth);
  AddMethod<VerifyTokenAuthorityRequest, VerifyTokenAuthorityResponse>(
      table, "VerifyTokenAuthority", auth);
}

}  // namespace depot::session
