#include "proto/depot_account.pb.h"

#include "driver/base/encode.h"
#include "driver/base/random.h"
#include "driver/base/text.h"
#include "pool/service/services.h"

namespace depot::service {
namespace {

namespace account = depot::cli::v1beta1;

constexpr std::int64_t kLoginLife = 600;

/// ABCD-EFGH, without the characters that people mistake for others.
std::string NewCode() {
  constexpr std::string_view kAlphabet = "BCDFGHJKLMNPQRSTVWXZ23456789";
  std::string code;
  while (code.size() < 9) {
    auto byte = static_cast<unsigned char>(RandomBytes(1)[0]);
    if (byte >= 252) continue;  // 9 * 28: every character as often as the others
    code += kAlphabet[byte % kAlphabet.size()];
    if (code.size() == 4) code += '-';
  }
  return code;
}

/// What its client asks for the outcome with is kept as a hash.
std::string IdHash(const std::string& id) {
  return identity::TokenHash(Secret(id));
}

/// A login's token is made of its id, which only the client knows, and a secret of the records: so
/// every pool that has them can give it. The approval makes it valid.
class Logins final : public LoginService {
 public:
  explicit Logins(const Parts& parts) : parts_(parts) {}

  void AddTo(web::Routes& routes) override {
    AddRpc(routes, parts_,
           {"/depot.cli.v1beta1.LoginService/StartLogin", Rpc::Admission::kAnybody,
            Rpc::Form::kUnary, [this](Call& call) { return Start(call); }});
    AddRpc(routes, parts_,
           {"/depot.cli.v1beta1.LoginService/FinishLogin", Rpc::Admission::kAnybody,
            Rpc::Form::kServerStream, [this](Call& call) { return Finish(call); }});
  }

 private:
  Result<Secret> TokenOf(const std::string& id) const {
    TRY_ASSIGN(Secret secret, parts_.records.LoginSecret());
    return identity::DerivedToken("depot_user", secret, id);
  }

  Result<Reply> Start(Call& call) {
    std::string id = Hex(RandomBytes(32));
    TRY_ASSIGN(Secret token, TokenOf(id));
    records::LoginRecord login;
    login.code = NewCode();
    login.token_hash = identity::TokenHash(token);
    login.expires_at = call.now + kLoginLife;
    login.id_hash = IdHash(id);
    login.network = call.network;
    TRY(parts_.records.StoreLogin(login, call.now));
    call.decision.reason = Cat("login ", login.code, " waits for approval");
    account::StartLoginResponse response;
    response.set_id(id);
    response.set_approve_url(Cat(call.settings->url, "/login/", login.code));
    return response.SerializeAsString();
  }

  Result<Reply> Finish(Call& call) {
    TRY_ASSIGN(auto request, Decode<account::FinishLoginRequest>(call));
    auto login = parts_.records.FindLoginById(IdHash(request.id()), call.now);
    if (!login && login.error().code() == ErrorCode::kNotFound) {
      return Fail(Error(ErrorCode::kNotFound, "this login is over").WithHint("begin a new one"));
    }
    if (!login) return Fail(std::move(login).error());
    if (login->user.empty()) return web::Later{std::chrono::milliseconds(1000)};
    TRY_ASSIGN(Secret token, TokenOf(request.id()));
    TRY(parts_.backlog.Do(
        [&records = parts_.records, code = login->code] { return records.RemoveLogin(code); }));
    call.decision.who = login->user;
    call.decision.reason = Cat("login ", login->code, " was approved");
    account::FinishLoginResponse response;
    response.set_token(std::string(token.Reveal()));
    return response.SerializeAsString();
  }

  const Parts& parts_;
};

}  // namespace

std::unique_ptr<LoginService> MakeLoginService(const Parts& parts) {
  return std::make_unique<Logins>(parts);
}

}  // namespace depot::service
