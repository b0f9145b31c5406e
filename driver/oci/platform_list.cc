#include "driver/oci/platform_list.h"

#include <algorithm>

#include "driver/base/text.h"

namespace depot {

std::string FormatPlatforms(const std::vector<Platform>& platforms, std::string_view separator) {
  std::vector<std::string> names;
  for (const Platform& platform : platforms)
    names.push_back(FormatPlatform(platform));
  return Join(names, separator);
}

bool Contains(const std::vector<Platform>& platforms, const Platform& wanted) {
  return std::find(platforms.begin(), platforms.end(), wanted) != platforms.end();
}

}  // namespace depot
