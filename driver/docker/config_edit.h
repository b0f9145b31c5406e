#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "driver/base/result.h"

namespace depot::docker {

/// The text of a config.json with another alias: "aliases": {`name`: `command`}; unset takes it
/// away, and an "aliases" that has no more members with it. Every other byte stays as it is, as the
/// file is the user's, and other programs write to it too. `text` may be blank: there is no file
/// yet. Pure. What is no JSON object, or has "aliases" that are none, is kInvalid and names the
/// place, never a value.
Result<std::string> WithAlias(std::string_view text,
                              std::string_view name,
                              const std::optional<std::string>& command);

/// The alias `name`; nullopt when there is none. Errors as of WithAlias(), and kInvalid for one
/// that is no text.
Result<std::optional<std::string>> AliasOf(std::string_view text, std::string_view name);

}  // namespace depot::docker
