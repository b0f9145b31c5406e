#include "driver/base/environment.h"

#include "driver/base/text.h"

namespace depot {

std::string Variable(const Environment& environment, const std::string& name) {
  auto found = environment.find(name);
  return found == environment.end() ? "" : found->second;
}

std::string TrimmedVariable(const Environment& environment, const std::string& name) {
  return std::string(Trim(Variable(environment, name)));
}

}  // namespace depot
