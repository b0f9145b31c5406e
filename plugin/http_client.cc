#include "plugin/http_client.h"

namespace depot {
namespace {

constexpr std::chrono::seconds kConnectTimeout(20);

}  // namespace

std::unique_ptr<http::HttpClient> MakeHttpClient(const Environment& environment) {
  return http::MakeCurlClient("docker-depot/" DEPOT_VERSION, kConnectTimeout,
                              FindSystemRoots(Variable(environment, "SSL_CERT_FILE"),
                                              Variable(environment, "SSL_CERT_DIR")));
}

}  // namespace depot
