#pragma once

#include <chrono>

namespace depot::api {

/// Every duration that this room waits for, in one place, so that a test can shorten them.
struct Times {
  std::chrono::milliseconds attempt{30'000};  ///< for the answer to one call
  std::chrono::milliseconds login{600'000};   ///< for the approval of a login
  std::chrono::milliseconds login_cut{
      20'000};  ///< a proxy that cuts this wait lets it last so long
  std::chrono::milliseconds first_wait{1'000};  ///< before a second try; up to four times as long
  /// After this no call is tried again, and no Retry-After longer than this is waited for. Longer
  /// than a connection may take that nobody answers, so that there is another one.
  std::chrono::milliseconds trying{25'000};

  std::chrono::milliseconds health_every{5'000};
  std::chrono::milliseconds health_silence{30'000};  ///< failing for longer is said
  std::chrono::milliseconds report_every{1'000};     ///< one batch of steps
  std::chrono::milliseconds last_report{2'000};
  std::chrono::milliseconds connecting{300'000};  ///< for a machine to answer
  std::chrono::milliseconds connect_again{1'000};
  std::chrono::milliseconds machine_fresh{60'000};  ///< then it is asked for again, if not reached
  std::chrono::milliseconds api_away{
      180'000};  ///< so long a build that has a place in the queue asks on
  std::chrono::milliseconds finish{10'000};
  std::chrono::milliseconds finish_cancelled{2'000};
};

}  // namespace depot::api
