#pragma once

#include <string>
#include <string_view>

#include "driver/base/cancel.h"
#include "driver/base/result.h"

namespace depot::builder {

/// What a setting that is a certificate or a key stands for: PEM text, base64 of PEM text, or the
/// path of a file that holds either, of at most 1 MiB. GitLab has both variables that are files and
/// variables that are text. A pipe is
/// waited for until `cancel` stops. `what` begins the errors, which never hold key material.
Result<std::string> LoadPem(const std::string& value, std::string_view what, const Cancel& cancel);

}  // namespace depot::builder
