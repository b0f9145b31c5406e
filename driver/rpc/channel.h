#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "driver/rpc/byte_stream.h"
#include "driver/rpc/metadata.h"
#include "driver/rpc/status.h"

namespace depot::rpc {

/// One running call of a Channel, with messages both ways. One thread may read while another
/// writes. Destroying it cancels the call when it has not ended.
class ClientCall {
 public:
  virtual ~ClientCall() = default;

  /// Queues one message; waits while too much is queued. Fails when the call has ended.
  virtual Result<> Write(BytesList message, const Cancel& cancel) = 0;

  /// Write() of a message that GzipPacker has packed, in a call of StartPackable().
  virtual Result<> WritePacked(std::string packed, const Cancel& cancel) = 0;

  /// No more messages from us.
  virtual void CloseWrites() = 0;

  /// The next message; nullopt when the peer has ended the call: see Finish(). Bounded by 64 MiB.
  virtual Result<std::optional<std::string>> Read(const Cancel& cancel) = 0;

  /// Waits for the end of the call and tells how it ended. Connection loss is kUnavailable. When
  /// `cancel` stops first the call is cancelled (RST_STREAM) and the status is that of its error:
  /// kCancelled, kDeadlineExceeded, ...
  virtual Status Finish(const Cancel& cancel) = 0;

  /// Cancels the call now; never blocks.
  virtual void Abort() = 0;
};

/// A gRPC client on one HTTP/2 connection that is never re-made: a lost connection ends all its
/// calls with kUnavailable and the reason. Safe to use from any thread.
class Channel {
 public:
  virtual ~Channel() = default;

  /// Starts a call; `method` is "/package.Service/Method".
  virtual std::unique_ptr<ClientCall> Start(const std::string& method,
                                            const Metadata& metadata) = 0;

  /// Start() of a call in which each message, of either side, may be packed by gzip. A peer that
  /// does not know that ends the call with kUnimplemented; one that does packs all of its messages.
  virtual std::unique_ptr<ClientCall> StartPackable(const std::string& method,
                                                    const Metadata& metadata) = 0;

  /// One message each way. `response` is only set when the status is OK.
  Status Unary(const std::string& method,
               const Metadata& metadata,
               std::string request,
               std::string& response,
               const Cancel& cancel);

  /// Why the connection is gone, or success while it lives.
  virtual Result<> Alive() const = 0;

  /// Whether the peer has said that it takes no more calls on this connection (GOAWAY): it is about
  /// to end. Stays true when the connection is gone.
  virtual bool Dismissed() const = 0;

  /// Ends the connection and every call on it; never blocks.
  virtual void Close(const Error& reason) = 0;

  /// ByteStream::Outlast() of what it runs on.
  virtual void Outlast(std::chrono::seconds silence) = 0;
};

/// Starts HTTP/2 as a client on `stream`. `authority` becomes :authority of every call.
std::unique_ptr<Channel> MakeChannel(std::unique_ptr<ByteStream> stream, std::string authority);

}  // namespace depot::rpc
