#pragma once

#include <memory>

#include "driver/http/client.h"
#include "plugin/options/invocation.h"

namespace depot {

/// The HTTP client of a command: our name, the patience of a slow link, and this machine's
/// authorities (SSL_CERT_FILE, SSL_CERT_DIR). DEPOT_API_CACERT (LoadPem()) is who the Depot API is
/// checked by instead, and only it; one that cannot be read fails the API's calls (kInvalid).
std::unique_ptr<http::HttpClient> MakeHttpClient(const Environment& environment);

}  // namespace depot
