#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "driver/base/cancel.h"
#include "driver/base/secret.h"
#include "driver/depot/cancel_order.h"
#include "driver/depot/created_build.h"
#include "driver/http/client.h"
#include "driver/oci/platform.h"

/// The client of the Depot API: who may build, what a build is called, where its builders are
/// (depot/cli proto/depot/cli/v1, served over the Connect protocol, connectrpc.com/docs/protocol).
namespace depot::api {

/// What opens the API.
struct Token {
  Secret value;
  std::string source;  ///< for people: "DEPOT_TOKEN", "--token", "depot.yaml", "GitLab OIDC"
};

/// A machine is not free yet: ask again after `wait`.
struct Pending {
  std::chrono::milliseconds wait{1000};
  std::string reason;  ///< what the API says of the queue, for people, printable; ""
};

/// A machine that runs BuildKit. All texts are PEM and stay in memory.
struct Machine {
  std::string endpoint;     ///< tcp://host:port
  std::string server_name;  ///< whom its certificate names
  std::string ca_pem;       ///< with an empty certificate: plaintext
  std::string certificate_pem;
  Secret key_pem;
  std::string reason{};  ///< for people, printable: why this one; ""
};

/// One row of `list projects`.
struct Project {
  std::string id;
  std::string name;
  std::string organization_id;
  std::string organization;
};

/// One row of `list builds`. Times in seconds since 1970; 0 = not yet.
struct ListedBuild {
  std::string id;
  std::string status;  ///< running, finished, failed, canceled, or "" when unknown
  std::int64_t created_at = 0;
  std::int64_t finished_at = 0;
};

/// A page of ListBuilds; `next_page` "" = the last.
struct BuildPage {
  std::vector<ListedBuild> builds;
  std::string next_page;
};

/// Where a saved build lies.
struct PullInfo {
  std::string reference;
  std::string username;
  Secret password;
  bool saved = false;  ///< false: the build was not made with --save
};

/// Work that the API shows as steps of the build: what this program did before and after BuildKit.
struct ReportedStep {
  std::string digest;  ///< unique in the build
  std::string name;
  std::int64_t started_ns = 0;    ///< since 1970
  std::int64_t completed_ns = 0;  ///< 0 = not yet
  std::string error;
};

/// The calls; safe to use from several threads, each blocks. A call that fails for a reason that
/// may pass (no connection, 429, 502, 503, 504, the API's own 500, a body that broke off) is made
/// again, at most three times within 15 s, obeying Retry-After, and `say` (see MakeApi) gets a line
/// each time; one that would not be safe to repeat (CreateBuild after its body was sent) is only
/// repeated when the API said that it did nothing (429, 503). No answer within 30 s is a failure.
/// Errors name method, API address, the API's code and message, and what to do; kDenied for
/// unauthenticated and permission_denied, naming the token's source, never its value; kNotFound for
/// not_found.
class Api {
 public:
  virtual ~Api() = default;

  virtual Result<CreatedBuild> CreateBuild(const Token& token,
                                           const BuildDescription& description,
                                           const Cancel& cancel) = 0;
  /// GetBuild: a build that somebody else made; the caller's token is then the build's token.
  virtual Result<CreatedBuild> FindBuild(const Token& token,
                                         const std::string& build,
                                         const Cancel& cancel) = 0;
  /// Tried again while `cancel` allows; `error` is for kError.
  virtual Result<> FinishBuild(const CreatedBuild& build,
                               Outcome outcome,
                               const std::string& error,
                               const Cancel& cancel) = 0;
  /// `platform` is linux/amd64 or linux/arm64.
  virtual Result<std::variant<Pending, Machine>> GetMachine(const CreatedBuild& build,
                                                            const Platform& platform,
                                                            const Cancel& cancel) = 0;
  /// The machine is still used. Once.
  virtual Result<std::optional<CancelOrder>> ReportHealth(const CreatedBuild& build,
                                                          const Platform& platform,
                                                          const Cancel& cancel) = 0;
  /// One client stream with one message. One attempt.
  virtual Result<> ReportSteps(const CreatedBuild& build,
                               const std::vector<ReportedStep>& steps,
                               const Cancel& cancel) = 0;

  virtual Result<std::vector<Project>> ListProjects(const Token& token, const Cancel& cancel) = 0;
  virtual Result<BuildPage> ListBuilds(const Token& token,
                                       const std::string& project,
                                       int page_size,
                                       const std::string& page,
                                       const Cancel& cancel) = 0;
  /// Gives the project's name.
  virtual Result<std::string> ResetCache(const Token& token,
                                         const std::string& project,
                                         const Cancel& cancel) = 0;
  virtual Result<PullInfo> GetPullInfo(const Token& token,
                                       const std::string& build,
                                       const Cancel& cancel) = 0;
  /// A password to pull saved images with: of `build`, or with "" of `project`. Empty: none.
  virtual Result<Secret> GetPullToken(const Token& token,
                                      const std::string& project,
                                      const std::string& build,
                                      const Cancel& cancel) = 0;
};

/// `url` is the API's base: https://, or http:// to a loopback address only (a token would travel
/// in clear). `client` and `say` must outlive the Api; `say` is called from the calling threads.
Result<std::unique_ptr<Api>> MakeApi(http::HttpClient& client,
                                     std::string url,
                                     std::function<void(std::string)> say);

constexpr const char* kDefaultApiUrl = "https://api.depot.dev";  ///< of DEPOT_API_URL

}  // namespace depot::api
