#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "driver/base/result.h"

namespace depot::git {

/// One variable of a configuration: `[remote "origin"] url = x`.
struct ConfigVariable {
  std::string section;     ///< lower case
  std::string subsection;  ///< as it is written; lower case in the old form [remote.origin]
  std::string name;        ///< lower case
  std::string value;       ///< "true" when there is no `=`
};

/// Reads the text of a configuration file (git-config(1), "Syntax") and gives `take` each variable
/// in its turn, as far as the text is well-formed; what follows is kInvalid, with the line. Files
/// that it includes are not read. Pure.
Result<> ReadConfig(std::string_view text, const std::function<void(const ConfigVariable&)>& take);

}  // namespace depot::git
