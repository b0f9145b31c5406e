#pragma once

#include <string>
#include <string_view>

#include "driver/rpc/h2_session.h"
#include "driver/rpc/metadata.h"
#include "driver/rpc/status.h"

namespace depot::rpc {

/// Metadata as HTTP/2 headers: values of "-bin" keys become base64.
void AppendMetadata(Headers& headers, const Metadata& metadata);

/// The other way round; pseudo headers and gRPC's own are left out.
Metadata ReadMetadata(Headers&& headers);

/// grpc-message's percent encoding (grpc/doc/PROTOCOL-HTTP2.md).
std::string EncodeMessage(std::string_view text);

/// grpc-status, grpc-message and grpc-status-details-bin; false when there is no grpc-status.
bool ReadStatus(const Headers& headers, Status& status);

/// Trailers that carry `status`.
Headers StatusTrailers(const Status& status);

/// The first value of a header, or "".
std::string_view FindHeader(const Headers& headers, std::string_view name);

}  // namespace depot::rpc
