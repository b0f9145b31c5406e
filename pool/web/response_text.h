#pragma once

#include "pool/web/server.h"

namespace depot::web {

/// How a response goes onto the wire.
struct ResponseForm {
  bool head_only = false;  ///< for HEAD: no body, but the length it would have
  bool keep_alive = true;  ///< what Connection says
  bool old = false;        ///< the client speaks HTTP/1.0
};

/// Status line, headers and body (RFC 9112); line breaks inside header values become blanks.
Secret ResponseText(const Response& response, const ResponseForm& form);

}  // namespace depot::web
