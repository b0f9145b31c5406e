// A compose file, of which only what stands in it is read: whatever it says, it ends soon.

#include "plugin/bake/compose.h"

#include <cstdint>
#include <cstdlib>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  // Other files are not to be read here.
  if (text.find("file") != std::string::npos || text.find("include") != std::string::npos) return 0;
  const auto definition = depot::bake::LoadCompose({{"compose.yaml", text}}, {{{"SET", "value"}}});
  if (!definition && definition.error().message().empty()) std::abort();
  return 0;
}
