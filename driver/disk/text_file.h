#pragma once

#include <optional>
#include <string>

#include "driver/base/result.h"

namespace depot::disk {

/// The whole file, at most 16 MiB; nullopt when it does not exist. Errors name the path.
Result<std::optional<std::string>> ReadTextFile(const std::string& path);

}  // namespace depot::disk
