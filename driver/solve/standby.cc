#include "driver/solve/standby.h"

#include <utility>

#include "driver/event/no_sink.h"
#include "driver/solve/dated_context.h"
#include "driver/solve/solve.h"

namespace depot::solve {
namespace {

using std::chrono::seconds;

/// A step that runs for less is soon run again.
constexpr seconds kLongStep(10);
/// After a second connection was lost too.
constexpr seconds kBetweenStandbys(10);

}  // namespace

Standby::Standby(StandbyFacts facts, const Cancel& cancel)
    : facts_(std::move(facts)), watch_(cancel) {
  watch_.Start("standby", [this](const Cancel& stop) { return Watch(stop); });
}

void Standby::Begin(const BuildRequest& request) {
  std::lock_guard lock(mutex_);
  if (holding_) holding_->Request(Error(ErrorCode::kCancelled, "another solve has begun"));
  request_ = request;
  request_.ref.clear();
  request_.session.clear();
  request_.exporters.clear();
  request_.cache_exports.clear();
  request_.internal = true;
  request_.watched = false;
  request_.linger = nullptr;
  request_.explain = false;
  for (const std::string& name : facts_.locals)
    request_.local_sessions.emplace(name, request.session);
  session_ = request.session;
  expected_.clear();
  useless_ = holds_ = false;
}

void Standby::Expect(std::string operations) {
  std::lock_guard lock(mutex_);
  expected_ = std::move(operations);
}

std::optional<std::string> Standby::Holds() const {
  std::lock_guard lock(mutex_);
  if (!holds_) return std::nullopt;
  return session_;
}

Result<> Standby::Watch(const Cancel& cancel) {
  while (cancel.SleepFor(seconds(1))) {
    if (!IsNeeded()) continue;
    Hold(cancel);
    cancel.SleepFor(kBetweenStandbys);
  }
  return {};
}

bool Standby::IsNeeded() const {
  std::lock_guard lock(mutex_);
  return !useless_ && !expected_.empty() && facts_.steps.RunsFor(kLongStep);
}

void Standby::Hold(const Cancel& cancel) {
  std::unique_lock lock(mutex_);
  holding_.emplace(cancel);
  const Cancel stop = holding_->cancel();
  BuildRequest request = request_;
  lock.unlock();
  request.on_result = [this](const std::string& result, const Cancel&) { return Compare(result); };
  auto second = facts_.builder.Another(stop);
  bool again = !second;
  if (second) {
    NoSink silent;
    const SolveOutcome outcome =
        Solve(**second, request, facts_.services, facts_.faults, silent, stop);
    again = std::holds_alternative<Lost>(outcome);
  }
  lock.lock();
  holds_ = false;
  useless_ = !again && !stop.cancelled();
  holding_.reset();
}

Result<> Standby::Compare(const std::string& result) {
  TRY_ASSIGN(const std::string operations, OperationsOf(result));
  std::lock_guard lock(mutex_);
  if (operations != expected_) return Fail(ErrorCode::kFailed, "it would run something else");
  holds_ = true;
  return {};
}

}  // namespace depot::solve
