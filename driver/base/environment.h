#pragma once

#include <map>
#include <string>

namespace depot {

/// A snapshot of environment variables; taken once in main.
using Environment = std::map<std::string, std::string>;

/// "" = unset.
std::string Variable(const Environment& environment, const std::string& name);

/// Without blanks and line ends around it, which pasted tokens like to have; "" = unset.
std::string TrimmedVariable(const Environment& environment, const std::string& name);

}  // namespace depot
