#pragma once

#include <cstdint>
#include <string>

namespace depot::api {

/// The API cancels the build.
struct CancelOrder {
  std::int64_t at = 0;  ///< seconds since 1970
  std::string barred;  ///< for people: why it lost the right to go on; "" = it did not, or not said
};

}  // namespace depot::api
