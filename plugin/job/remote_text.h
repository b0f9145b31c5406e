#pragma once

#include <string>
#include <string_view>

#include "driver/base/cancel.h"
#include "driver/http/client.h"

namespace depot::job {

/// A Dockerfile or a bake definition at an http or https URL, of at most 2 MiB as with buildx
/// (build/url.go, bake/remote.go). It is fetched from here, so that what is wrong with it is known
/// before a builder is asked; redirects are followed, but not from https to http. Errors say `what`
/// and name the host, never what a URL may carry.
Result<std::string> FetchText(http::HttpClient& http,
                              const std::string& url,
                              std::string_view what,
                              const Cancel& cancel);

}  // namespace depot::job
