#pragma once

#include <optional>
#include <string_view>

#include "driver/base/error.h"

namespace depot::solve {

/// What is known of a kind of failure.
struct Cause {
  /// What a builder says then, in this order, anything in between; the second may be "".
  std::string_view says;
  std::string_view and_says;
  FailedAt at = FailedAt::kUnsaid;
  std::string_view hint;  ///< what to do, for a user
};

/// The catalogue's entry for a builder's text (its own words, not shortened); nullptr = it is a
/// failure of no known kind. Of several that fit, the first of the catalogue. The command of a step
/// that the text quotes is not looked into.
const Cause* FindCause(std::string_view text);

}  // namespace depot::solve
