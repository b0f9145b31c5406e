#include "driver/depot/login_api.h"

#include "proto/depot_account.pb.h"

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/depot/calls.h"

namespace depot::api {
namespace {

namespace account = ::depot::cli::v1beta1;

constexpr std::string_view kLogins = "/depot.cli.v1beta1.LoginService/";

class LoginClient final : public LoginApi {
 public:
  LoginClient(http::HttpClient& client,
              const std::string& base,
              std::function<void(std::string)> say,
              const Times& times)
      : connect_(client, base, std::move(say), times), times_(times) {}

  Result<Login> Start(const Cancel& cancel) override {
    TRY_ASSIGN(auto answer, (Ask<account::StartLoginResponse>(connect_, kLogins, "StartLogin",
                                                              account::StartLoginRequest(),
                                                              Caller(), {Retry::kThrice, cancel})));
    if (answer.id().empty()) return Fail(Malformed("StartLogin", "names no login"));
    return Login{answer.id(), Printable(answer.approve_url())};
  }

  Result<Secret> Finish(const Login& login, const Cancel& cancel) override {
    account::FinishLoginRequest request;
    request.set_id(login.id);
    const Call call{Cat(kLogins, "FinishLogin"), request.SerializeAsString(), Retry::kThrice};
    const Cancel bounded = cancel.WithTimeout(times_.login, "nobody approved the login");
    while (true) {
      const auto start = Cancel::Clock::now();
      Result<std::string> answer = connect_.ServerStream(call, Caller(), bounded);
      const bool cut = !answer && answer.error().code() == ErrorCode::kUnavailable &&
                       Cancel::Clock::now() - start > times_.login_cut;
      if (cut && !bounded.cancelled()) continue;
      TRY_ASSIGN(auto message, (ParseAnswer<account::FinishLoginResponse>("FinishLogin", answer)));
      if (message.token().empty()) return Fail(Malformed("FinishLogin", "holds no token"));
      return Secret(std::move(*message.mutable_token()));
    }
  }

 private:
  ConnectClient connect_;
  const Times times_;
};

}  // namespace

Result<std::unique_ptr<LoginApi>> MakeLoginApi(http::HttpClient& client,
                                               std::string url,
                                               std::function<void(std::string)> say,
                                               const Times& times) {
  TRY_ASSIGN(const std::string base, CheckedAddress(std::move(url)));
  return std::make_unique<LoginClient>(client, base, std::move(say), times);
}

}  // namespace depot::api
