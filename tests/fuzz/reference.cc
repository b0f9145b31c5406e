// An image's name: what is understood means the same in its long and in its short form.

#include "driver/oci/reference.h"

#include <cstdint>
#include <cstdlib>

namespace {

void CheckSame(const depot::Reference& a, const std::string& text) {
  const auto b = depot::ParseReference(text);
  const bool same =
      b && a.domain == b->domain && a.path == b->path && a.tag == b->tag && a.digest == b->digest;
  if (!same) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  // The seeds are text files.
  if (text.ends_with('\n')) text.remove_suffix(1);
  const auto reference = depot::ParseReference(text);
  if (!reference) {
    if (reference.error().message().empty()) std::abort();
    return 0;
  }
  CheckSame(*reference, depot::FormatReference(*reference));
  CheckSame(*reference, depot::FamiliarReference(*reference));
  return 0;
}
