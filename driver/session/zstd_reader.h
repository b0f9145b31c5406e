#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "driver/base/result.h"

namespace depot::session {

/// Whether bytes begin as zstd does (RFC 8878, section 3.1.1). No BuildKit takes such an archive
/// for one (frontend/dockerui/context.go, isArchive), so that it is unpacked here.
bool IsZstd(std::string_view head);

/// Unpacks zstd as it is read. One thread.
class ZstdReader {
 public:
  /// Stores up to `size` bytes of what is packed, and says how many; 0 = its end.
  using Source = std::function<Result<std::size_t>(char* into, std::size_t size)>;

  ZstdReader();
  ~ZstdReader();
  ZstdReader(const ZstdReader&) = delete;
  ZstdReader& operator=(const ZstdReader&) = delete;

  /// Stores up to `size` unpacked bytes; 0 = the end. kInvalid for what is damaged, cut off, or
  /// needs a window of more than 128 MiB; errors of `source` as they are.
  Result<std::size_t> Read(char* into, std::size_t size, const Source& source);

 private:
  struct State;

  Result<bool> Fill(const Source& source);

  std::unique_ptr<State> state_;
};

}  // namespace depot::session
