#pragma once

#include <openssl/types.h>

#include "driver/base/cancel.h"

namespace depot::front {

/// Copies bytes both ways between a client (TLS on its non-blocking socket) and a non-blocking
/// socket of the builder, until both have ended, the link to one of them breaks, or `cancel` stops.
/// Neither is closed. Blocks.
void CopyBothWays(SSL* client, int client_socket, int builder_socket, const Cancel& cancel);

}  // namespace depot::front
