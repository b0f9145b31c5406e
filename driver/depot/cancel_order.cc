#include "driver/depot/cancel_order.h"

#include <chrono>

#include "driver/base/text.h"

namespace depot::api {

bool CancelOrder::IsDue() const {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return at <= std::chrono::duration_cast<std::chrono::seconds>(now).count();
}

Error CancelledByApi(const CancelOrder& order) {
  const bool barred = !order.barred.empty();
  const std::string& why = barred ? order.barred : order.reason;
  std::string hint = "somebody ended it there, or its token is no longer good";
  if (!why.empty()) hint = "whoever runs the pool can say more; a new build may begin at once";
  if (barred) hint = "the next build needs another token";
  return Error(ErrorCode::kFailed,
               Cat("the Depot API cancelled the build", why.empty() ? "" : ": ", why))
      .WithHint(std::move(hint))
      .At(barred ? FailedAt::kAuthentication : FailedAt::kEnded);
}

}  // namespace depot::api
