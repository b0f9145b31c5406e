#include "plugin/http_client.h"

#include "driver/builder/pem.h"
#include "driver/depot/api.h"

namespace depot {
namespace {

constexpr std::chrono::seconds kConnectTimeout(20);

/// Trusts an authority of its own for one server, and the machine's for all others.
class WithApiAuthority final : public http::HttpClient {
 public:
  WithApiAuthority(std::unique_ptr<http::HttpClient> client, std::string api, std::string authority)
      : client_(std::move(client)), api_(std::move(api)), authority_(std::move(authority)) {}

  Result<http::Response> Send(const http::Request& request, const Cancel& cancel) override {
    if (!request.url.starts_with(api_)) return client_->Send(request, cancel);
    http::Request trusting = request;
    TRY_ASSIGN(trusting.transport.ca_pem, builder::LoadPem(authority_, "DEPOT_API_CACERT"));
    return client_->Send(trusting, cancel);
  }

 private:
  const std::unique_ptr<http::HttpClient> client_;
  const std::string api_;  ///< with a slash at its end
  const std::string authority_;
};

}  // namespace

std::unique_ptr<http::HttpClient> MakeHttpClient(const Environment& environment) {
  auto client = http::MakeCurlClient("docker-depot/" DEPOT_VERSION, kConnectTimeout,
                                     FindSystemRoots(Variable(environment, "SSL_CERT_FILE"),
                                                     Variable(environment, "SSL_CERT_DIR")));
  std::string authority = Variable(environment, "DEPOT_API_CACERT");
  if (authority.empty()) return client;
  std::string base = Variable(environment, "DEPOT_API_URL");
  if (base.empty()) base = api::kDefaultApiUrl;
  while (base.ends_with('/'))
    base.pop_back();
  return std::make_unique<WithApiAuthority>(std::move(client), base + '/', std::move(authority));
}

}  // namespace depot
