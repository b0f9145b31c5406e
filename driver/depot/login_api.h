#pragma once

#include <functional>
#include <memory>
#include <string>

#include "driver/base/cancel.h"
#include "driver/base/result.h"
#include "driver/base/secret.h"
#include "driver/depot/times.h"
#include "driver/http/client.h"

namespace depot::api {

/// A device login that waits for its approval.
struct Login {
  std::string id;
  std::string approve_url;  ///< for people; whoever opens it has to look at it first
};

/// The calls by which somebody logs in who has no token yet (depot.cli.v1beta1.LoginService).
/// Retries and errors are those of Api. Any thread; each call blocks.
class LoginApi {
 public:
  virtual ~LoginApi() = default;

  virtual Result<Login> Start(const Cancel& cancel) = 0;

  /// Waits until the login is approved, up to Times::login.
  virtual Result<Secret> Finish(const Login& login, const Cancel& cancel) = 0;
};

/// As MakeApi(); `times` for tests.
Result<std::unique_ptr<LoginApi>> MakeLoginApi(http::HttpClient& client,
                                               std::string url,
                                               std::function<void(std::string)> say,
                                               const Times& times = {});

}  // namespace depot::api
