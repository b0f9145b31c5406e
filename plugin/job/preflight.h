#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "driver/base/task_group.h"
#include "driver/event/sink.h"
#include "driver/oci/reference.h"
#include "driver/registry/repository.h"

namespace depot::job {

/// Asks the registries, while the builders are being acquired, whether what a build is going to
/// push will be let in, so that a wrong credential does not show only after the last step. Its
/// calls come from one thread.
class Preflight {
 public:
  /// `registries` and `sink` outlive it. When `cancel` stops, it ends.
  Preflight(registry::Registries& registries, EventSink& sink, const Cancel& cancel);

  /// Asks about every target, side by side, once, and for at most 10 s. Returns at once. A registry
  /// that gives no clear answer (it cannot be reached from here, has too much to do, ...) is a
  /// warning to the sink: the builder may be luckier. A refusal of one of `caches`, which are not
  /// waited for, is a warning too: the image does not need them.
  void Start(const std::vector<Reference>& targets, const std::vector<Reference>& caches);

  /// Waits until every registry has answered or cancel() stops, at most 5 s, and says so when it
  /// lasts. Before that no build should start: its steps may run in vain (and with BuildKit 0.13
  /// run on for ever, when they are cancelled while they start), and a builder that asks for a
  /// credential takes one for all that it does at a registry. A refusal that comes later ends the
  /// build then.
  void Await();

  /// Stops when the given one does, or when a push will not be let in: for all that would be in
  /// vain then.
  const Cancel& cancel() const { return build_.cancel(); }

  /// Why cancel() stopped, if a registry's refusal is the reason.
  std::optional<Error> refusal() const;

  /// The answers no longer matter: none that is still to come is told to anybody. What was opened
  /// at a registry to find out is given back, as long as the Preflight lives.
  void Finish();

 private:
  void StartOne(const Reference& target, bool is_cache);
  Result<registry::PushCheck> Check(const Reference& target, const Cancel& stop);
  void SettleCache(const Reference& target, const Result<registry::PushCheck>& check);
  void Settle(const Reference& target, const Result<registry::PushCheck>& check);

  registry::Registries& registries_;
  EventSink& sink_;
  CancelSource build_;
  mutable std::mutex mutex_;
  std::condition_variable_any answered_;
  std::multiset<std::string> unanswered_;  ///< registries
  std::optional<Error> refusal_;
  TaskGroup tasks_;  // last: its threads use the rest
};

}  // namespace depot::job
