#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

#include "driver/base/cancel.h"
#include "driver/base/fd.h"
#include "driver/rpc/bytes.h"

namespace depot::rpc {

/// A reliable stream of bytes both ways: a socket, TLS over it, or a tunnel inside a call. One
/// thread may read while another writes; Close() may come from any thread and ends both.
class ByteStream {
 public:
  virtual ~ByteStream() = default;

  /// Waits for bytes and stores up to `capacity` of them; 0 = the peer ended the stream.
  virtual Result<std::size_t> Read(char* into, std::size_t capacity, const Cancel& cancel) = 0;

  /// Waits until all of `pieces` is handed over.
  virtual Result<> Write(const BytesList& pieces, const Cancel& cancel) = 0;

  /// Makes waiting and later calls fail. Idempotent, never blocks.
  virtual void Close() = 0;

  /// Over how long a silence the link is to be kept; one that is dead for 5 s more ends by itself.
  /// Where that is not ours to say it has no effect. Any thread.
  virtual void Outlast(std::chrono::seconds) {}
};

/// A connected socket; made non-blocking here.
std::unique_ptr<ByteStream> MakeSocketStream(Fd socket);

/// `stream` with `first` to be read before anything else: what was read beyond the blank line of an
/// HTTP upgrade.
std::unique_ptr<ByteStream> MakePrefixedStream(std::string first,
                                               std::unique_ptr<ByteStream> stream);

}  // namespace depot::rpc
