#include "driver/solve/step_names.h"

#include <algorithm>

#include "driver/base/shown.h"

namespace depot::solve {

void StepNames::Emit(Event event) {
  if (const auto* vertex = std::get_if<Vertex>(&event)) Keep(*vertex);
  if (const auto* log = std::get_if<VertexLog>(&event)) Keep(*log);
  sink_.Emit(std::move(event));
}

void StepNames::Keep(const Vertex& vertex) {
  std::lock_guard lock(mutex_);
  if (vertex.error.empty()) {
    if (vertex.completed) words_.erase(vertex.digest);
    return;
  }
  const bool cancelled = vertex.error.ends_with("context canceled");
  if (!cancelled && failed_.size() < kMost) failed_.emplace(vertex.digest, vertex.name);
}

void StepNames::Keep(const VertexLog& log) {
  std::lock_guard lock(mutex_);
  auto found = words_.find(log.vertex);
  if (found == words_.end()) {
    if (words_.size() >= kMost) return;
    found = words_.emplace(log.vertex, "").first;
  }
  std::string& words = found->second;
  const std::string_view data = log.data;
  words += data.substr(data.size() - std::min(data.size(), kWords));
  words.erase(0, words.size() - std::min(words.size(), kWords));
}

StepNames::Texts::const_iterator StepNames::Find(std::string_view digest) const {
  auto found = failed_.find(digest);
  return found == failed_.end() && failed_.size() == 1 ? failed_.begin() : found;
}

std::string StepNames::FailedStep(std::string_view digest) const {
  std::lock_guard lock(mutex_);
  auto found = Find(digest);
  return found == failed_.end() ? "" : RedactUrls(Printable(found->second));
}

std::string StepNames::LastWords(std::string_view digest) const {
  std::lock_guard lock(mutex_);
  auto failed = Find(digest);
  if (failed == failed_.end()) return "";
  auto found = words_.find(failed->first);
  return found == words_.end() ? "" : found->second;
}

}  // namespace depot::solve
