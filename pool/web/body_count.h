#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "pool/web/client_connection.h"
#include "pool/web/server.h"

namespace depot::web {

/// Counts a request's body while it is in memory, until it is destroyed. On the loop's thread.
class BodyCount {
 public:
  /// `network` is Request::network. `shared` outlives it.
  BodyCount(Shared& shared, std::string network) : shared_(shared), network_(std::move(network)) {}
  BodyCount(const BodyCount&) = delete;
  BodyCount& operator=(const BodyCount&) = delete;
  ~BodyCount();

  /// The refusal when all bodies together, or those of this client, are too many bytes now.
  std::optional<Response> Set(std::size_t bytes);

 private:
  std::size_t& Mine() { return shared_.body_bytes_of[network_]; }
  Response Refusal(std::string_view what, int status, std::string_view text);

  Shared& shared_;
  std::string network_;
  std::size_t bytes_ = 0;
};

}  // namespace depot::web
