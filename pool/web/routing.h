#pragma once

#include "pool/web/server.h"

namespace depot::web {

/// Who answers a request: the handler or the door, or, when both are null, `refusal`. The pointers
/// live as long as the routes.
struct Route {
  const Handler* whole = nullptr;
  const Door* door = nullptr;
  Response refusal;
};

/// 405 names the methods of the path in Allow (RFC 9110 15.5.6).
Route FindRoute(const Routes& routes, const std::string& method, const std::string& path);

/// A plain text answer of this server itself; `text` is one line.
Response TextResponse(int status, std::string_view text);

}  // namespace depot::web
