#include "pool/web/body_count.h"

#include "pool/web/routing.h"

namespace depot::web {

BodyCount::~BodyCount() {
  (void)Set(0);
  if (Mine() == 0) shared_.body_bytes_of.erase(network_);
}

std::optional<Response> BodyCount::Set(std::size_t bytes) {
  shared_.body_bytes += bytes - bytes_;
  Mine() += bytes - bytes_;
  bytes_ = bytes;
  if (bytes == 0) return std::nullopt;
  if (Mine() > shared_.limits.bodies_bytes_per_peer) {
    return Refusal("bodies of peer", 429, "too many requests of your address at once");
  }
  if (shared_.body_bytes > shared_.limits.bodies_bytes) {
    return Refusal("bodies", 503, "too many requests at once");
  }
  return std::nullopt;
}

Response BodyCount::Refusal(std::string_view what, int status, std::string_view text) {
  if (shared_.routes.turned_away) shared_.routes.turned_away(what);
  return TextResponse(status, text);
}

}  // namespace depot::web
