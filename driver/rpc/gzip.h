#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "driver/rpc/bytes.h"

namespace depot::rpc {

/// Packs messages for gRPC's encoding `gzip` (grpc/doc/compression.md): each is a gzip member of
/// its own. Not synchronized.
class GzipPacker {
 public:
  GzipPacker();
  ~GzipPacker();

  /// At a level that gives some 100 MB/s of source text: faster than any link that is worth it.
  std::string Pack(const BytesList& message);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// How large the packed message says it is; 0 when it is too short to say so. It may lie.
std::size_t GzipSize(std::string_view packed);

/// The message; nullopt when `packed` is not one whole gzip member of GzipSize() bytes, which is
/// what is allocated for it.
std::optional<std::string> UnpackGzip(std::string_view packed);

}  // namespace depot::rpc
