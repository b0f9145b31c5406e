#include "plugin/http_client.h"

namespace depot {
namespace {

constexpr std::chrono::seconds kConnectTimeout(20);

}  // namespace

std::unique_ptr<http::HttpClient> MakeHttpClient(const options::Environment& environment) {
  return http::MakeCurlClient("docker-depot/" DEPOT_VERSION, kConnectTimeout,
                              FindSystemRoots(options::Variable(environment, "SSL_CERT_FILE"),
                                              options::Variable(environment, "SSL_CERT_DIR")));
}

}  // namespace depot
