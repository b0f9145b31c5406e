#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "driver/base/backoff.h"

namespace depot::registry {

/// The attempts at one request to a registry or a token server: at most 4, started within 60 s,
/// after growing pauses, or the pause that the server asks for (at most 30 s). One thread.
class Attempts {
 public:
  /// The first one begins now.
  Attempts();

  /// Of the attempt that runs, from 1.
  int number() const { return number_; }

  /// The pause before the next one, which then is the one that runs; nullopt: this was the last.
  /// `asked` is what the server asked for (http::RetryAfter()).
  std::optional<std::chrono::milliseconds> Next(std::optional<std::chrono::seconds> asked);

  /// "trying again in 0.5 s (attempt 2 of 4)", after such a Next().
  std::string Shown(std::chrono::milliseconds pause) const;

 private:
  const Backoff backoff_;
  int number_ = 1;
};

}  // namespace depot::registry
