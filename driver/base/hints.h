#pragma once

#include <string>
#include <string_view>

namespace depot {

/// Two hints as one: "FIRST; NEXT", and behind a question a sentence of its own, "FIRST? Next".
/// Either may be "".
std::string JoinHints(std::string_view first, std::string_view next);

}  // namespace depot
