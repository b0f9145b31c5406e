#pragma once

#include <cstdint>
#include <string>

#include "driver/base/error.h"

namespace depot::api {

/// The API cancels the build.
struct CancelOrder {
  std::int64_t at = 0;  ///< seconds since 1970
  std::string barred;  ///< for people: why it lost the right to go on; "" = it did not, or not said
  std::string reason{};  ///< for people: why else; "" = not said

  /// Whether it is time, by the clock here, which may be another one than the API's.
  bool IsDue() const;

  /// Whether it is the reason when the build is refused something: it is due, or a pool, which
  /// gives no orders for later, says why.
  bool Counts() const { return IsDue() || !barred.empty() || !reason.empty(); }
};

/// The build's failure, wherever it was by then: that no builder was had is not its reason.
Error CancelledByApi(const CancelOrder& order);

}  // namespace depot::api
