#include <set>

#include "proto/session.pb.h"

#include "driver/base/random.h"
#include "driver/base/text.h"
#include "driver/event/step.h"
#include "driver/registry/token.h"
#include "driver/session/services.h"
#include "driver/session/token_authority.h"
#include "driver/session/token_cache.h"

namespace depot::session {
namespace {

constexpr std::size_t kSeedSize = 16;

std::string TokenStepName(const FetchTokenRequest& request) {
  std::vector<std::string> scopes(request.scopes().begin(), request.scopes().end());
  std::string joined = Join(scopes, " ");
  std::string_view text = joined;
  constexpr std::string_view kPrefix = "repository:";
  if (text.starts_with(kPrefix)) text.remove_prefix(kPrefix.size());
  return Printable(Cat("[auth] ", text, " token for ", request.host()));
}

class Auth {
 public:
  Auth(registry::CredentialSource& credentials, http::HttpClient& client, EventSink& sink)
      : credentials_(credentials), client_(client), sink_(sink) {}

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
    auto fetch = [&] { return Fetch(request, cancel); };
    TRY_ASSIGN(registry::Token token, tokens_.Get(request.SerializeAsString(), fetch, cancel));
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
  Result<registry::Token> Fetch(const FetchTokenRequest& request, const Cancel& cancel) {
    TRY_ASSIGN(std::optional<registry::Credential> credential,
               credentials_.Lookup(request.host(), cancel));
    registry::TokenRequest wanted{request.realm(),
                                  request.service(),
                                  {request.scopes().begin(), request.scopes().end()},
                                  request.client_id()};
    Step step(sink_, TokenStepName(request));
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
  EventSink& sink_;
  TokenCache tokens_;
  std::mutex mutex_;
  std::map<std::string, Secret> seeds_;
  std::set<std::string> shared_;
};

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

void AddAuth(rpc::ServiceTable& table,
             registry::CredentialSource& credentials,
             http::HttpClient& client,
             EventSink& sink) {
  auto auth = std::make_shared<Auth>(credentials, client, sink);
  AddMethod<CredentialsRequest, CredentialsResponse>(table, "Credentials", auth);
  AddMethod<FetchTokenRequest, FetchTokenResponse>(table, "FetchToken", auth);
  AddMethod<GetTokenAuthorityRequest, GetTokenAuthorityResponse>(table, "GetTokenAuthority", auth);
  AddMethod<VerifyTokenAuthorityRequest, VerifyTokenAuthorityResponse>(
      table, "VerifyTokenAuthority", auth);
}

}  // namespace depot::session
