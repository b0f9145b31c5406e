#include "driver/depot/health.h"

#include "driver/base/text.h"
#include "driver/event/step.h"

namespace depot::api {

HealthReports::HealthReports(std::shared_ptr<BuildRecord> build, Platform platform)
    : build_(std::move(build)), platform_(std::move(platform)), thread_(build_->cancel) {
  thread_.Start("depot-health", [this](const Cancel& stop) { return Run(stop); });
}

void HealthReports::WhenCancelled(std::function<void(const Error&)> act) {
  std::lock_guard lock(mutex_);
  act_ = std::move(act);
  if (cancelled_) act_(*cancelled_);
}

Result<> HealthReports::Run(const Cancel& stop) {
  Cancel::Clock::time_point last = Cancel::Clock::now();
  bool said = false;
  std::optional<CancelOrder> order;
  do {
    auto answer = build_->api.ReportHealth(build_->created, platform_, stop);
    if (stop.cancelled()) break;
    const auto silence = Cancel::Clock::now() - last;
    if (answer) {
      if (said) build_->sink.Say("the Depot API hears again that this build is alive");
      said = false;
      last = Cancel::Clock::now();
      order = *answer;
    } else if (!said && silence >= build_->times.health_silence) {
      said = true;
      build_->sink.Say(
          Cat("the Depot API has not heard for ",
              std::chrono::duration_cast<std::chrono::seconds>(silence).count(),
              " s that this build is alive, and may end it: ", answer.error().message()));
    }
    if (order && order->IsDue()) {
      CancelBuild(*order);
      break;
    }
  } while (stop.SleepFor(build_->times.health_every));
  return {};
}

void HealthReports::CancelBuild(const CancelOrder& order) {
  build_->cancelled_by_api = true;
  std::lock_guard lock(mutex_);
  cancelled_ = CancelledByApi(order);
  if (act_) act_(*cancelled_);
}

}  // namespace depot::api
