#include "plugin/job/workshop.h"

#include <unistd.h>

#include "driver/base/hints.h"
#include "driver/base/text.h"
#include "driver/builder/pem.h"
#include "driver/depot/api_url.h"
#include "driver/rpc/dial.h"

namespace depot::job {
namespace {

constexpr std::chrono::seconds kConnectTimeout(20);
constexpr const char* kApiAuthority = "DEPOT_API_CACERT";

/// Trusts an authority of its own for one server, and the machine's for all others.
class WithApiAuthority final : public http::HttpClient {
 public:
  WithApiAuthority(std::unique_ptr<http::HttpClient> client, std::string api, std::string authority)
      : client_(std::move(client)), api_(std::move(api)), authority_(std::move(authority)) {}

  Result<http::Response> Send(const http::Request& request, const Cancel& cancel) override {
    if (!request.url.starts_with(api_)) return client_->Send(request, cancel);
    if (authority_.empty()) return SendAsAll(request, cancel);
    http::Request trusting = request;
    TRY_ASSIGN(trusting.transport.ca_pem,
               OfSetting("", builder::LoadPem(authority_, kApiAuthority, cancel)));
    rpc::TlsOptions tls;
    tls.ca_pem = trusting.transport.ca_pem;
    tls.server_name = "localhost";  // no matter which: nobody is asked yet
    TRY(OfSetting(kApiAuthority, rpc::CheckTlsOptions(tls)));
    return client_->Send(trusting, cancel);
  }

 private:
  Result<http::Response> SendAsAll(const http::Request& request, const Cancel& cancel) {
    auto answer = client_->Send(request, cancel);
    if (answer || answer.error().code() != ErrorCode::kDenied) return answer;
    const std::string hint = answer.error().hint();
    if (hint.find("SSL_CERT_FILE") != std::string::npos) {
      return Fail(std::move(answer).error().WithHint(
          Cat(hint, ", ", kApiAuthority, " one for this server alone")));
    }
    if (hint.find("plain HTTP") != std::string::npos) {
      return Fail(std::move(answer).error().WithHint(
          JoinHints(hint,
                    "DEPOT_API_URL may begin with http:// on this machine alone, since a "
                    "token would travel in clear; elsewhere put TLS in front of it")));
    }
    return answer;
  }

  const std::unique_ptr<http::HttpClient> client_;
  const std::string api_;        ///< with a slash at its end
  const std::string authority_;  ///< "" = the machine's own are
};

std::unique_ptr<http::HttpClient> MakeHttpClient(const Environment& environment,
                                                 std::string_view version) {
  auto client = http::MakeCurlClient(Cat("docker-depot/", version), kConnectTimeout,
                                     FindSystemRoots(Variable(environment, "SSL_CERT_FILE"),
                                                     Variable(environment, "SSL_CERT_DIR")));
  std::string authority = Variable(environment, kApiAuthority);
  std::string base = api::ApiUrl(environment);
  while (base.ends_with('/'))
    base.pop_back();
  return std::make_unique<WithApiAuthority>(std::move(client), base + '/', std::move(authority));
}

}  // namespace

Workshop::Workshop(const Environment& environment,
                   const options::GlobalFlags& globals,
                   std::string_view version)
    : environment_(environment), globals_(globals), http_(MakeHttpClient(environment, version)) {}

Result<> Workshop::ReadDocker() {
  TRY_ASSIGN(docker_, OfSetting("", ReadDockerSetup(globals_, environment_)));
  return {};
}

std::vector<Error> Workshop::ReadDockerLeniently() {
  std::vector<Error> faults;
  docker_ = ReadWhatIsSound(globals_, environment_, faults);
  return faults;
}

Result<docker::Engine*> Workshop::Engine() {
  TRY(docker_.engine);
  std::lock_guard lock(mutex_);
  if (!engine_) {
    docker::EngineEndpoint endpoint = *docker_.engine;
    TRY_ASSIGN(tunnel_, builder::OpenEngineTunnel(endpoint, TemporaryDirectory()));
    TRY_ASSIGN(engine_, docker::MakeEngine(http_, endpoint));
  }
  return engine_.get();
}

Result<std::unique_ptr<api::Api>> Workshop::MakeApi(EventSink& sink) {
  return api::MakeApi(http_, api::ApiUrl(environment_),
                      [&sink](std::string line) { sink.Say(std::move(line)); });
}

std::string Workshop::TemporaryDirectory() const {
  std::string said = Variable(environment_, "TMPDIR");
  if (!said.empty()) return said;
  return ::access("/var/tmp", W_OK) == 0 ? "/var/tmp" : "/tmp";
}

}  // namespace depot::job
