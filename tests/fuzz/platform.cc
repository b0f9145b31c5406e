// The name of a platform: what is understood means the same when it is written out.

#include "driver/oci/platform.h"

#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  // The seeds are text files.
  if (text.ends_with('\n')) text.remove_suffix(1);
  const auto platform = depot::ParsePlatform(text);
  if (!platform) {
    if (platform.error().message().empty()) std::abort();
    return 0;
  }
  const auto again = depot::ParsePlatform(depot::FormatPlatform(*platform));
  if (!again || *again != *platform) std::abort();
  return 0;
}
