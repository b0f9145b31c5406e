#pragma once

#include <cstddef>
#include <mutex>
#include <set>
#include <string>

#include "driver/base/json.h"
#include "driver/event/sink.h"

namespace depot::deliver {

/// Passes everything on, and keeps the frontend's warnings among it, each once whatever step it was
/// found in; at most 1000, and 16 MiB of them. Any thread.
class WarningLog final : public EventSink {
 public:
  /// `sink` must outlive it.
  explicit WarningLog(EventSink& sink) : sink_(sink), warnings_(Json::Array()) {}

  void Emit(Event event) override;

  /// For the metadata file, `buildx.build.warnings`: base64 of a JSON array as Go writes BuildKit's
  /// client.VertexWarning, texts in base64; "" when there are none.
  std::string Value() const;

 private:
  EventSink& sink_;
  mutable std::mutex mutex_;
  Json warnings_;
  std::set<std::string> known_;  ///< their JSON without the vertex
  std::size_t bytes_ = 0;
};

}  // namespace depot::deliver
