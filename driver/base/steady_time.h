#pragma once

#include <chrono>

namespace depot {

/// The time since some fixed moment, the same for the whole process; it never goes back.
std::chrono::milliseconds SteadyTime();

}  // namespace depot
