#pragma once

#include <map>
#include <string>

#include "driver/base/text.h"

namespace depot::api {

/// A variable without blanks and line ends around it, which pasted tokens like to have; "" = unset.
inline std::string Variable(const std::map<std::string, std::string>& environment,
                            const std::string& name) {
  auto found = environment.find(name);
  return found == environment.end() ? "" : std::string(Trim(found->second));
}

}  // namespace depot::api
