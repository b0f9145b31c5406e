#include "driver/session/faults.h"

namespace depot::session {

std::optional<Error> Faults::first() const {
  if (!source_.cancel().cancelled()) return std::nullopt;
  return source_.cancel().error();
}

}  // namespace depot::session
