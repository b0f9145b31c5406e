#pragma once

#include <string>

#include "driver/base/random.h"

namespace depot::disk {

/// A name that no other file has, to be renamed when it is complete.
inline std::string TemporaryName() {
  return ".tmp." + RandomId();
}

}  // namespace depot::disk
