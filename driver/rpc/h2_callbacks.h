#pragma once

#include <cstddef>
#include <cstdint>

#include "driver/rpc/h2_session.h"

namespace depot::rpc {

/// Bytes of unread messages on one stream before its flow-control window closes.
constexpr std::size_t kMaxQueued = 2 << 20;

/// The half of H2Session that nghttp2 calls: what a frame does to a stream's state, and where
/// the bytes of outgoing DATA come from. Everything here runs inside of the session's calls.
struct H2Session::Callbacks {
  /// A session in the role of `self`, with SETTINGS and windows submitted. `self` deletes it.
  static nghttp2_session* MakeSession(H2Session* self);

  /// The new stream's id, or a negative nghttp2 error.
  static std::int32_t SubmitRequest(nghttp2_session* session, const Headers& headers);

  static void SubmitResponse(nghttp2_session* session, std::int32_t stream, const Headers& headers);

 private:
  struct Functions;
};

}  // namespace depot::rpc
