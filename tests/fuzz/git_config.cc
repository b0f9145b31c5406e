// What a git checkout says of itself: its configuration, and the URL of a remote, which goes into
// images. Whatever it is, no user and no password may be left in front of its host.

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "driver/git/checkout.h"
#include "driver/git/config.h"

namespace depot::git {
namespace {

void CheckUrl(std::string_view url) {
  const std::string shown = SourceUrl(url);
  const std::size_t scheme = shown.find("://");
  if (scheme == std::string::npos) return;
  const std::string_view rest = std::string_view(shown).substr(scheme + 3);
  if (rest.substr(0, rest.find_first_of("/?#")).find('@') != std::string_view::npos) std::abort();
}

void TakeInput(std::string_view input) {
  CheckUrl(input);
  (void)ReadConfig(input, [](const ConfigVariable& one) {
    if (one.section.empty() || one.name.empty()) std::abort();
    CheckUrl(one.value);
  });
}

}  // namespace
}  // namespace depot::git

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  depot::git::TakeInput({reinterpret_cast<const char*>(data), size});
  return 0;
}
