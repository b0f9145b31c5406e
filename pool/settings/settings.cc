#include "pool/settings/settings.h"

#include <algorithm>

#include "driver/base/text.h"
#include "driver/disk/read_file.h"

namespace depot::settings {
namespace {

constexpr std::size_t kMaxNamedFile = 1 << 20;

std::string HowToMend(ErrorCode code) {
  if (code == ErrorCode::kDenied) return "the pool's user must be able to read it";
  if (code != ErrorCode::kNotFound) return "";
  return "put it there, or correct the path; a relative one is from the folder of the settings";
}

}  // namespace

Result<std::string> ReadNamedFile(const NamedFile& file) {
  Result<std::string> content = disk::ReadWholeFile(file.path, kMaxNamedFile, Cancel::Never());
  if (content) return content;
  const Error& why = content.error();
  return Fail(
      Error(why.code(), Cat(file.named, " names a file that cannot be read: ", why.message()))
          .WithHint(HowToMend(why.code())));
}

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
