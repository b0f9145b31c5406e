#pragma once

#include <cstdint>
#include <string>

namespace depot {

/// A number of bytes for people: "154B", "4.27MB" (decimal units, as docker prints them).
std::string ShownBytes(std::int64_t count);

}  // namespace depot
