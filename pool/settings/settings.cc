#include "pool/settings/settings.h"

#include <algorithm>

namespace depot::settings {

const ProjectSettings* Settings::FindProject(const std::string& id) const {
  auto found = std::find_if(projects.begin(), projects.end(),
                            [&](const ProjectSettings& project) { return project.id == id; });
  return found == projects.end() ? nullptr : &*found;
}

const UserSettings* Settings::FindUser(const std::string& name) const {
  auto found = std::find_if(users.begin(), users.end(),
                            [&](const UserSettings& user) { return user.name == name; });
  return found == users.end() ? nullptr : &*found;
}

std::vector<TokenRecord> JoinTokens(std::vector<TokenRecord> in_file,
                                    const std::vector<TokenRecord>& stored) {
  std::erase_if(in_file, [&](const TokenRecord& token) {
    return std::any_of(stored.begin(), stored.end(),
                       [&](const TokenRecord& other) { return other.id == token.id; });
  });
  in_file.insert(in_file.end(), stored.begin(), stored.end());
  return in_file;
}

}  // namespace depot::settings
