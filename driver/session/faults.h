#pragma once

#include <optional>

#include "driver/base/cancel.h"

namespace depot::session {

/// What went wrong on our own side of one solve: a full disk, a context file that cannot be read,
/// an Engine that is gone. The services record it where it happens, with the hint that fits there;
/// a failed builder only repeats it in words of its own, one that claims success is not believed,
/// and one that says nothing more is not waited for. What the peer does, and that it went away, is
/// not recorded. Any thread may use it.
class Faults {
 public:
  /// The first one is kept.
  void Record(const Error& error) { source_.Request(error); }

  /// nullopt while there is none.
  std::optional<Error> first() const;

  /// Stops when the first one is recorded, which is its error().
  const Cancel& cancel() const { return source_.cancel(); }

 private:
  CancelSource source_;
};

}  // namespace depot::session
