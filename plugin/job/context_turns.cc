#include "plugin/job/context_turns.h"

#include <chrono>

namespace depot::job {
namespace {

/// A builder reads contexts at once, unless it has something else to do first, which may be long.
constexpr std::chrono::seconds kLongestPause(2);

}  // namespace

Result<> ContextTurns::Turn::Begin(const std::string& shared_key,
                                   std::map<std::string, std::size_t> expected,
                                   const Cancel& cancel) {
  std::unique_lock lock(turns_.mutex_);
  EndLocked();
  if (shared_key.empty() || expected.empty()) return {};
  key_ = {builder_, shared_key};
  Place& place = turns_.places_[key_];
  const auto free = [&] { return place.holder == nullptr; };
  while (!free()) {
    const Cancel patience = cancel.WithTimeout(kLongestPause, "another target's context");
    if (patience.Wait(lock, turns_.changed_, free)) break;
    TRY(cancel.Check());
    if (!place.sends) break;
  }
  place = {this, false};
  expected_ = std::move(expected);
  return {};
}

void ContextTurns::Turn::Note(const std::string& directory, bool ended) {
  const std::lock_guard lock(turns_.mutex_);
  auto found = expected_.find(directory);
  if (found == expected_.end()) return;
  Place& place = turns_.places_[key_];
  if (!ended) {
    if (place.holder == this) place.sends = true;
    return;
  }
  if (--found->second == 0) expected_.erase(found);
  if (expected_.empty()) EndLocked();
}

void ContextTurns::Turn::End() {
  const std::lock_guard lock(turns_.mutex_);
  EndLocked();
}

void ContextTurns::Turn::EndLocked() {
  expected_.clear();
  auto place = turns_.places_.find(key_);
  if (place == turns_.places_.end() || place->second.holder != this) return;
  place->second = {};
  turns_.changed_.notify_all();
}

}  // namespace depot::job
