#include "driver/solve/open_steps.h"

#include <utility>

#include "driver/event/step.h"

namespace depot::solve {
namespace {

constexpr std::size_t kMostOpenSteps = 10'000;

}  // namespace

void OpenSteps::Emit(Event event) {
  if (const auto* vertex = std::get_if<Vertex>(&event)) Note(*vertex);
  sink_.Emit(std::move(event));
}

void OpenSteps::CancelAll() {
  std::unique_lock lock(mutex_);
  auto open = std::exchange(open_, {});
  lock.unlock();
  for (auto& [digest, step] : open) {
    step.vertex.completed = Now();
    step.vertex.error = "context canceled";
    sink_.Emit(std::move(step.vertex));
  }
}

bool OpenSteps::RunsFor(Cancel::Clock::duration time) const {
  const auto now = Cancel::Clock::now();
  bool runs = false;
  std::lock_guard lock(mutex_);
  for (const auto& [digest, step] : open_) {
    if (step.vertex.name.starts_with("[internal]")) return false;
    runs |= !step.vertex.inputs.empty() && now - step.since >= time;
  }
  return runs;
}

void OpenSteps::Note(const Vertex& vertex) {
  std::lock_guard lock(mutex_);
  if (!vertex.started || vertex.completed) {
    open_.erase(vertex.digest);
    return;
  }
  const auto known = open_.find(vertex.digest);
  if (known != open_.end()) {
    known->second.vertex = vertex;
  } else if (open_.size() < kMostOpenSteps) {
    open_.insert({vertex.digest, {vertex, Cancel::Clock::now()}});
  }
}

}  // namespace depot::solve
