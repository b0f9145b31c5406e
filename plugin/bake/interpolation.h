#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "driver/base/environment.h"
#include "driver/base/result.h"

namespace depot::bake {

/// The value of a variable; nullopt = not set.
using Lookup = std::function<std::optional<std::string>(const std::string& name)>;

/// A text of a compose file with its variables replaced (compose-spec, interpolation): `$V ${V}`
/// `${V:-d} ${V-d} ${V:?e} ${V?e} ${V:+a} ${V+a}`, nested, and `$$` for a dollar sign. What is not
/// set is empty. kInvalid: a required variable is missing, or the form is wrong.
Result<std::string> Interpolate(std::string_view text, const Lookup& lookup);

/// A `.env` file: comments, `export`, both kinds of quotes, references to variables that `lookup`
/// knows or that stand before. A name without a value is what `lookup` says. kInvalid with the
/// line.
Result<Environment> ParseDotenv(std::string_view text, const Lookup& lookup);

}  // namespace depot::bake
