// The pool's settings, as an administrator may have written them.

#include <filesystem>

#include <unistd.h>

#include "pool/settings/settings.h"
#include "tests/fuzz/pieces.h"

namespace {

using depot::fuzz::Expect;

/// An empty folder: what the text names is not there, unless it is a path from the root.
const std::string& Folder() {
  static const std::string folder = [] {
    std::string name = (std::filesystem::temp_directory_path() / "fuzz-settings-XXXXXX").string();
    Expect(::mkdtemp(name.data()) != nullptr);
    return name;
  }();
  return folder;
}

void Check(const depot::settings::Settings& settings) {
  Expect(settings.build_hours >= 1 && settings.build_hours <= 24);
  Expect(settings.certificate_minutes >= 1 && settings.certificate_minutes <= 60);
  Expect(settings.tls_certificate.empty() == settings.tls_key.empty());
  Expect(!settings.url.ends_with('/'));
  for (const auto& project : settings.projects)
    Expect(settings.FindProject(project.id) != nullptr);
  for (const auto& user : settings.users)
    Expect(settings.FindUser(user.name) != nullptr);
  for (const auto& token : settings.tokens)
    Expect(token.project.empty() != token.user.empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  // What lies elsewhere on the machine is not the settings' reader's business here.
  if (text.find("/dev") != text.npos || text.find("/proc") != text.npos) return 0;
  const auto read = depot::settings::ParseSettings(Folder() + "/pool.yaml", text);
  if (read) Check(*read);
  return 0;
}
