#pragma once

#include <map>
#include <memory>
#include <string>

#include "driver/event/sink.h"
#include "driver/rpc/server.h"
#include "driver/session/content_store.h"
#include "driver/session/faults.h"

namespace depot::session {

/// A store that is offered to the builder.
struct OfferedStore {
  std::shared_ptr<ContentStore> store;
  /// What fails on our side ends the build, as a Fault; otherwise it is only said, and the builder
  /// is told (a cache, which a build can do without).
  bool vital = true;
};

/// The stores of one session by the name that the builder asks for (BuildKit session/content):
/// "export" for an exporter with tar=false, "local:DIR" for a cache, "oci:ID" for an image layout
/// as build context. A name is printable ASCII: it travels as gRPC metadata.
using OfferedStores = std::map<std::string, OfferedStore>;

/// containerd.services.content.v1.Content on `stores`: reading, and writing of blobs whose size and
/// digest are right. Nothing that was written can be changed or deleted by a builder, and a write
/// that does not come to its end leaves nothing. A blob that a builder reads from front to back and
/// that is not what its digest says is a fault of ours. `faults` and `sink` must outlive the
/// table's last call.
void AddContent(rpc::ServiceTable& table, OfferedStores stores, Faults& faults, EventSink& sink);

}  // namespace depot::session
