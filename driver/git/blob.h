#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "driver/base/cancel.h"

namespace depot::git {

/// How a repository names its objects (extensions.objectFormat).
enum class ObjectFormat { kSha1, kSha256 };

/// Raw bytes of a name: 20 or 32.
constexpr std::size_t NameSize(ObjectFormat format) {
  return format == ObjectFormat::kSha1 ? 20 : 32;
}

/// The name that git gives a blob with this content (gitformat-pack(5), "Object types"): raw bytes.
std::string BlobName(ObjectFormat format, std::string_view content);

/// The same of a file with `size` bytes, read to its end without moving its offset. kInvalid when
/// it has more or fewer. Blocks.
Result<std::string> BlobNameOfFile(ObjectFormat format,
                                   int file,
                                   std::int64_t size,
                                   const Cancel& cancel);

}  // namespace depot::git
