#pragma once

#include <string>

#include "driver/base/result.h"
#include "driver/base/secret.h"

namespace depot::api {

/// api_token of a login file; empty when there is no file or no token in it.
Result<Secret> ReadLogin(const std::string& file);

}  // namespace depot::api
