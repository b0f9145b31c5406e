// The index of a checkout, which may be anybody's: whatever is in it, no path comes out that cannot
// be one, no name of another length, and no more memory is used than a small multiple of it.

#include <cstdint>
#include <cstdlib>
#include <string>

#include "driver/git/index.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using depot::git::Index;
  using depot::git::ObjectFormat;
  for (ObjectFormat format : {ObjectFormat::kSha1, ObjectFormat::kSha256}) {
    auto index =
        Index::Parse(std::string(reinterpret_cast<const char*>(data), size), format, 1LL << 60);
    if (!index) continue;
    const Index::Extent extent = (*index)->ExtentOf("");
    if (extent.files > size || (*index)->ExtentOf("a").files > extent.files) std::abort();
    depot::git::IndexedState state;
    state.mode = 0100644;
    for (const char* path : {"a", "a/b", ".gitattributes", ""}) {
      const std::string_view name = (*index)->Find(path, state);
      if (!name.empty() && name.size() != depot::git::NameSize(format)) std::abort();
    }
    for (const std::string& path : (*index)->attribute_files())
      if (path.empty() || path.size() > 4096) std::abort();
  }
  return 0;
}
