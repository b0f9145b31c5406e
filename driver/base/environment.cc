#include "driver/base/environment.h"

#include <string_view>

#include <unistd.h>

#include "driver/base/text.h"

extern char** environ;

namespace depot {

Environment TakeEnvironment() {
  Environment environment;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    std::string_view text(*entry);
    std::size_t equals = text.find('=');
    if (equals != std::string_view::npos) {
      environment.emplace(text.substr(0, equals), text.substr(equals + 1));
    }
  }
  return environment;
}

std::string Variable(const Environment& environment, const std::string& name) {
  auto found = environment.find(name);
  return found == environment.end() ? "" : found->second;
}

std::string TrimmedVariable(const Environment& environment, const std::string& name) {
  return std::string(Trim(Variable(environment, name)));
}

}  // namespace depot
