#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "driver/base/result.h"

namespace depot::settings {

/// Seconds since 1970 of an RFC 3339 time ("2026-01-31T08:00:00Z", "2026-01-31T10:00:00.5+02:00"),
/// or of a date, which is its first second in UTC; nullopt for anything else.
std::optional<std::int64_t> ParseTime(std::string_view text);

/// RFC 3339 in UTC, whole seconds.
std::string FormatTime(std::int64_t seconds);

/// "30d", "12h" or "45m" in seconds; kUsage for anything else, and for more than ten years.
Result<std::int64_t> ParseDuration(const std::string& text);

}  // namespace depot::settings
