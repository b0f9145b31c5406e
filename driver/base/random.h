#pragma once

#include <cstddef>
#include <string>

namespace depot {

/// `count` bytes from the system's generator; never fails (getrandom blocks only at boot).
std::string RandomBytes(std::size_t count);

/// 25 lower-case base-36 characters, the form of BuildKit's refs and session ids
/// (BuildKit identity/randomid.go).
std::string RandomId();

}  // namespace depot
