#include "driver/depot/step_reports.h"

#include <algorithm>

#include "driver/base/backoff.h"
#include "driver/base/text.h"
#include "driver/oci/digest.h"

namespace depot::api {
namespace {

constexpr std::size_t kMaxWaiting = 1024;

std::int64_t Nanoseconds(const std::optional<Timestamp>& time) {
  return time ? time->time_since_epoch().count() : 0;
}

}  // namespace

StepReports::StepReports(std::shared_ptr<BuildRecord> build)
    : build_(std::move(build)), thread_(build_->cancel) {
  thread_.Start("depot-steps", [this](const Cancel& stop) { return Run(stop); });
}

void StepReports::Add(const Vertex& step) {
  // Our digests are unique in this process only.
  ReportedStep report{DigestOf(Cat(build_->created.id, ' ', step.digest)), step.name,
                      Nanoseconds(step.started), Nanoseconds(step.completed), step.error};
  std::lock_guard lock(mutex_);
  auto known = std::find_if(waiting_.begin(), waiting_.end(), [&](const ReportedStep& other) {
    return other.digest == report.digest;
  });
  if (known != waiting_.end()) {
    *known = std::move(report);
  } else if (waiting_.size() < kMaxWaiting) {
    waiting_.push_back(std::move(report));
  }
  added_.notify_all();
}

void StepReports::Finish(const Cancel& cancel) {
  thread_.Stop(Error(ErrorCode::kCancelled, "no longer needed"));
  (void)thread_.Wait();
  (void)Send(cancel.WithTimeout(build_->times.last_report, "reporting the last steps"));
}

Result<> StepReports::Run(const Cancel& stop) {
  const auto pause = build_->times.report_every;
  const Backoff backoff{2 * pause, 2, 10 * pause};
  int failed = 0;
  while (true) {
    // The pause makes batches; a failure is not hurried after.
    if (!stop.SleepFor(failed == 0 ? pause : *backoff.WaitAfter(failed))) return {};
    {
      std::unique_lock lock(mutex_);
      if (!stop.Wait(lock, added_, [this] { return !waiting_.empty(); })) return {};
    }
    failed = Send(stop) ? 0 : failed + 1;
  }
}

bool StepReports::Send(const Cancel& cancel) {
  std::vector<ReportedStep> batch;
  {
    std::lock_guard lock(mutex_);
    batch.swap(waiting_);
  }
  if (batch.empty()) return true;
  Result<> told = build_->api.ReportSteps(build_->created, batch, cancel);
  const bool again = !told && (cancel.cancelled() || told.error().code() == ErrorCode::kTimeout ||
                               told.error().code() == ErrorCode::kUnavailable);
  if (!again) return true;
  std::lock_guard lock(mutex_);
  for (ReportedStep& step : batch) {
    const bool newer =
        std::any_of(waiting_.begin(), waiting_.end(),
                    [&](const ReportedStep& other) { return other.digest == step.digest; });
    if (!newer) waiting_.push_back(std::move(step));
  }
  return false;
}

void ReportingSink::Emit(Event event) {
  if (const Vertex* step = std::get_if<Vertex>(&event)) reports_.Add(*step);
  sink_.Emit(std::move(event));
}

}  // namespace depot::api
