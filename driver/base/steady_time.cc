#include "driver/base/steady_time.h"

namespace depot {

std::chrono::milliseconds SteadyTime() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::steady_clock::now().time_since_epoch());
}

}  // namespace depot
