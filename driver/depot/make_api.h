#pragma once

#include "driver/depot/api.h"
#include "driver/depot/times.h"

namespace depot::api {

/// MakeApi() with durations of one's own; for tests.
Result<std::unique_ptr<Api>> MakeApi(http::HttpClient& client,
                                     std::string url,
                                     std::function<void(std::string)> say,
                                     const Times& times);

}  // namespace depot::api
