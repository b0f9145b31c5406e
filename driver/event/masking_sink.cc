#include "driver/event/masking_sink.h"

namespace depot {

void MaskingSink::Emit(Event event) {
  std::visit([this](auto& one) { Pass(std::move(one)); }, event);
}

void MaskingSink::Flush() {
  std::map<Stream, VertexLog> waiting;
  {
    std::lock_guard lock(mutex_);
    waiting.swap(waiting_);
  }
  for (auto& [stream, log] : waiting)
    sink_.Emit(std::move(log));
}

void MaskingSink::Pass(Vertex vertex) {
  if (vertex.completed) {
    // Before the end, or the display would have no place for it.
    for (int stream : {1, 2}) {
      VertexLog rest;
      {
        std::lock_guard lock(mutex_);
        auto found = waiting_.find({vertex.digest, stream});
        if (found == waiting_.end()) continue;
        rest = std::move(found->second);
        waiting_.erase(found);
      }
      sink_.Emit(std::move(rest));
    }
  }
  vertex.name = masks_.Hide(std::move(vertex.name));
  vertex.error = masks_.Hide(std::move(vertex.error));
  vertex.group_name = masks_.Hide(std::move(vertex.group_name));
  sink_.Emit(std::move(vertex));
}

void MaskingSink::Pass(VertexStatus status) {
  status.id = masks_.Hide(std::move(status.id));
  status.name = masks_.Hide(std::move(status.name));
  sink_.Emit(std::move(status));
}

void MaskingSink::Pass(VertexLog log) {
  const Stream stream{log.vertex, log.stream};
  {
    std::lock_guard lock(mutex_);
    auto found = waiting_.find(stream);
    if (found != waiting_.end()) {
      log.data.insert(0, found->second.data);
      waiting_.erase(found);
    }
    log.data = masks_.Hide(std::move(log.data));
    if (const std::size_t rest = masks_.Unfinished(log.data);
        rest > 0 && waiting_.size() < kMostWaiting) {
      VertexLog later = log;
      later.data = log.data.substr(log.data.size() - rest);
      log.data.resize(log.data.size() - rest);
      waiting_.emplace(stream, std::move(later));
    }
  }
  if (!log.data.empty()) sink_.Emit(std::move(log));
}

void MaskingSink::Pass(VertexWarning warning) {
  warning.short_text = masks_.Hide(std::move(warning.short_text));
  for (std::string& line : warning.detail)
    line = masks_.Hide(std::move(line));
  warning.url = masks_.Hide(std::move(warning.url));
  warning.source = masks_.Hide(std::move(warning.source));
  sink_.Emit(std::move(warning));
}

void MaskingSink::Pass(Notice notice) {
  notice.text = masks_.Hide(std::move(notice.text));
  sink_.Emit(std::move(notice));
}

}  // namespace depot
