#include <algorithm>
#include <mutex>

#include "proto/depot_account.pb.h"

#include "driver/base/encode.h"
#include "driver/base/random.h"
#include "driver/base/text.h"
#include "pool/service/services.h"

namespace depot::service {
namespace {

namespace account = depot::cli::v1beta1;

constexpr std::int64_t kLoginLife = 600;
constexpr std::size_t kMostLogins = 1000;
constexpr std::size_t kMostLoginsOfPeer = 10;

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

/// The token exists from the beginning, in memory; the approval puts its hash into the settings.
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
  struct Login {
    std::string code;
    Secret token;
    std::int64_t expires_at = 0;
    std::string network;  ///< who began it: web::Request::network
  };

  Result<Reply> Start(Call& call) {
    Login login;
    login.code = NewCode();
    login.token = identity::NewToken("depot_user");
    login.expires_at = call.now + kLoginLife;
    login.network = call.network;
    std::string id = Hex(RandomBytes(32));
    records::LoginRecord record{login.code, identity::TokenHash(login.token), login.expires_at, ""};
    TRY(Remember(id, std::move(login), call.now));
    Result<> stored = parts_.records.StoreLogin(record, call.now);
    if (!stored) {
      Forget(id);
      return Fail(std::move(stored).error());
    }
    call.decision.reason = Cat("login ", record.code, " waits for approval");
    account::StartLoginResponse response;
    response.set_id(id);
    response.set_approve_url(Cat(call.settings->url, "/login/", record.code));
    return response.SerializeAsString();
  }

  /// Each client may have a few that wait. When all are too many the oldest of the client that has
  /// most of them goes, so that many clients together block nobody else.
  Result<> Remember(const std::string& id, Login login, std::int64_t now) {
    std::lock_guard lock(mutex_);
    std::erase_if(logins_, [&](const auto& entry) { return entry.second.expires_at < now; });
    std::map<std::string, std::size_t> counts;
    for (const auto& [other, open] : logins_)
      ++counts[open.network];
    if (counts[login.network] >= kMostLoginsOfPeer) {
      return Fail(Error(ErrorCode::kUnavailable, "too many logins wait for their approval")
                      .WithHint("try again in ten minutes"));
    }
    if (logins_.size() >= kMostLogins) {
      auto goes = std::max_element(logins_.begin(), logins_.end(), [&](auto& one, auto& other) {
        std::size_t mine = counts[one.second.network];
        std::size_t its = counts[other.second.network];
        return mine != its ? mine < its : one.second.expires_at > other.second.expires_at;
      });
      logins_.erase(goes);
    }
    logins_[id] = std::move(login);
    return {};
  }

  void Forget(const std::string& id) {
    std::lock_guard lock(mutex_);
    logins_.erase(id);
  }

  Result<Reply> Finish(Call& call) {
    TRY_ASSIGN(auto request, Decode<account::FinishLoginRequest>(call));
    Login login;
    {
      std::lock_guard lock(mutex_);
      auto found = logins_.find(request.id());
      if (found != logins_.end()) login = found->second;
    }
    if (login.code.empty() || login.expires_at < call.now) {
      return Fail(Error(ErrorCode::kNotFound, "this login is over").WithHint("begin a new one"));
    }
    TRY_ASSIGN(records::LoginRecord record, parts_.records.FindLogin(login.code, call.now));
    if (record.user.empty()) return web::Later{std::chrono::milliseconds(1000)};
    Forget(request.id());
    TRY(parts_.backlog.Do(
        [&records = parts_.records, code = login.code] { return records.RemoveLogin(code); }));
    call.decision.who = record.user;
    call.decision.reason = Cat("login ", login.code, " was approved");
    account::FinishLoginResponse response;
    response.set_token(std::string(login.token.Reveal()));
    return response.SerializeAsString();
  }

  const Parts& parts_;
  std::mutex mutex_;
  std::map<std::string, Login> logins_;  ///< by id, which only the client knows
};

}  // namespace

std::unique_ptr<LoginService> MakeLoginService(const Parts& parts) {
  return std::make_unique<Logins>(parts);
}

}  // namespace depot::service
