#include "plugin/progress/kept_lines.h"

#include <utility>

namespace depot {
namespace {

/// What a step may hold when all hold too much.
constexpr std::size_t kShareInNeed = 16 << 10;

std::size_t LineCostOf(const std::string& line) {
  return line.size() + sizeof(std::string);
}

}  // namespace

void KeptLines::Add(StepLines step) {
  if (steps_.size() <= step.node) steps_.resize(step.node + 1);
  Lines& kept = steps_[step.node];
  for (std::string& line : step.lines) {
    kept.bytes += LineCostOf(line);
    bytes_ += LineCostOf(line);
    kept.lines.push_back(std::move(line));
    const std::size_t most = bytes_ < kAllBytes ? kStepBytes : kShareInNeed;
    while (kept.bytes > most && kept.lines.size() > 1)
      DropFirst(kept);
  }
}

const std::deque<std::string>& KeptLines::Of(std::size_t node) const {
  static const std::deque<std::string> none;
  return node < steps_.size() ? steps_[node].lines : none;
}

std::size_t KeptLines::Dropped(std::size_t node) const {
  return node < steps_.size() ? steps_[node].dropped : 0;
}

void KeptLines::Forget(std::size_t node) {
  if (node >= steps_.size()) return;
  bytes_ -= steps_[node].bytes;
  steps_[node] = {};
}

void KeptLines::DropFirst(Lines& kept) {
  const std::size_t cost = LineCostOf(kept.lines.front());
  kept.bytes -= cost;
  bytes_ -= cost;
  kept.lines.pop_front();
  ++kept.dropped;
}

}  // namespace depot
