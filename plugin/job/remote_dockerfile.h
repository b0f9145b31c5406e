#pragma once

#include <string>

#include "driver/base/cancel.h"
#include "driver/http/client.h"

namespace depot::job {

/// The Dockerfile at an http or https URL (-f URL), of at most 2 MiB as with buildx (build/url.go).
/// It is fetched from here, so that what is wrong with it is known before a builder is asked;
/// redirects are followed, but not from https to http. Errors name the host, never what a URL may
/// carry.
Result<std::string> FetchDockerfile(http::HttpClient& http,
                                    const std::string& url,
                                    const Cancel& cancel);

}  // namespace depot::job
