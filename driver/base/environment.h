#pragma once

#include <map>
#include <string>

namespace depot {

/// A snapshot of environment variables.
using Environment = std::map<std::string, std::string>;

/// That of this process: taken once in main, before there are threads.
Environment TakeEnvironment();

/// "" = unset.
std::string Variable(const Environment& environment, const std::string& name);

/// Without blanks and line ends around it, which pasted tokens like to have; "" = unset.
std::string TrimmedVariable(const Environment& environment, const std::string& name);

}  // namespace depot
