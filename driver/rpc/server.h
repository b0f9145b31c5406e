#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "driver/rpc/byte_stream.h"
#include "driver/rpc/metadata.h"
#include "driver/rpc/status.h"

namespace depot::rpc {

/// One call that the peer makes to us. The handler runs on a thread of its own and may use a second
/// one: one may read while another writes.
class ServerCall {
 public:
  virtual ~ServerCall() = default;

  /// What came with the request headers; unchanging, valid as long as the call.
  virtual const Metadata& metadata() const = 0;

  /// The next message of the peer; nullopt when it has half-closed. Bounded by 16 MiB.
  virtual Result<std::optional<std::string>> Read(const Cancel& cancel) = 0;

  /// Queues one message and waits while too much is queued on this call.
  virtual Result<> Write(BytesList message, const Cancel& cancel) = 0;

  /// Queues bytes that hold one or more messages with their 5-byte gRPC prefixes already in place
  /// (see AppendFrame): for callers that send very many small messages.
  virtual Result<> WriteFramed(BytesList frames, const Cancel& cancel) = 0;
};

/// Handles one call to its end; the returned status goes to the peer. `cancel` stops when the
/// connection ends or the server stops; that the peer cancelled this one call shows as a failing
/// Read or Write.
using Handler = std::function<Status(ServerCall&, const Cancel& cancel)>;

/// Method ("/package.Service/Method") to handler. Peers may spell the method's case differently
/// (buildkitd lower-cases it), so the look-up ignores case.
class ServiceTable {
 public:
  void Add(const std::string& method, Handler handler);
  const Handler* Find(const std::string& path) const;  ///< nullptr when absent
  /// As they were added, for the session's announcement.
  const std::vector<std::string>& methods() const { return methods_; }

 private:
  std::vector<std::string> methods_;
  std::map<std::string, Handler> handlers_;
};

/// The work of a method with one request and one response message.
using UnaryFunction = std::function<Status(
    const Metadata&, const std::string& request, std::string& response, const Cancel& cancel)>;
Handler UnaryHandler(UnaryFunction function);

/// Serves gRPC on `stream` until the peer ends it, the connection breaks or `cancel` stops; then
/// asks all running handlers to stop, joins them, and returns: success when the peer ended the
/// stream. Blocks. `table` must outlive the call. At most 128 handlers run at once; more calls are
/// refused.
Result<> Serve(std::unique_ptr<ByteStream> stream, const ServiceTable& table, const Cancel& cancel);

/// Appends the 5-byte prefix (whether it is packed, big-endian length) of a message of `size`
/// bytes.
void AppendFrame(std::string& out, std::size_t size, bool packed = false);

}  // namespace depot::rpc
