#pragma once

#include <string>

#include "driver/rpc/frame_batch.h"
#include "driver/rpc/h2_session.h"
#include "driver/rpc/server.h"

namespace depot::test {

/// A gRPC message with its prefix.
inline rpc::BytesList Message(std::string text) {
  std::string prefix;
  rpc::AppendFrame(prefix, text.size());
  return {rpc::Bytes(std::move(prefix)), rpc::Bytes(std::move(text))};
}

/// A client and a server session that talk to each other in memory, at a time of the test's making.
struct SessionPair {
  static constexpr std::size_t kBatch = 64 << 10;
  static constexpr rpc::H2Limits kLimits{.message = 16 << 20, .unfinished = 64 << 20};

  explicit SessionPair(rpc::H2Limits client_limits = kLimits, rpc::H2Limits server_limits = kLimits)
      : client(rpc::H2Session::Role::kClient, client_limits, MakeStream),
        server(rpc::H2Session::Role::kServer, server_limits, MakeStream) {}

  static rpc::H2Session::StreamPtr MakeStream() { return std::make_shared<rpc::H2Stream>(); }

  /// The bytes that `session` has to say now.
  std::string Take(rpc::H2Session& session) const {
    rpc::FrameBatch batch;
    std::string bytes;
    while (session.FillBatch(batch, kBatch, now)) {
      for (const rpc::Bytes& piece : batch.Take())
        bytes += piece.view();
    }
    return bytes;
  }

  /// Carries bytes both ways until both are silent; then what has happened is in the events.
  void Talk() {
    while (true) {
      std::string asked = Take(client);
      server.Receive(asked, now);
      std::string answered = Take(server);
      client.Receive(answered, now);
      if (asked.empty() && answered.empty()) break;
    }
    client_events = client.TakeEvents();
    server_events = server.TakeEvents();
  }

  rpc::H2Session::Time now{};
  rpc::H2Session client;
  rpc::H2Session server;
  rpc::H2Events client_events;
  rpc::H2Events server_events;
};

}  // namespace depot::test
