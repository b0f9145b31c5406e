#include <algorithm>

#include "pool/identity/identity.h"

namespace depot::identity {

bool Caller::MayUse(const std::string& project) const {
  return std::find(projects.begin(), projects.end(), project) != projects.end();
}

}  // namespace depot::identity
