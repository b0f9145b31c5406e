#include "driver/base/random.h"

#include <cerrno>
#include <cstdlib>
#include <string_view>

#include <sys/random.h>

namespace depot {

std::string RandomBytes(std::size_t count) {
  std::string bytes(count, '\0');
  std::size_t have = 0;
  while (have < count) {
    ssize_t got = ::getrandom(bytes.data() + have, count - have, 0);
    if (got < 0 && errno != EINTR) std::abort();
    if (got > 0) have += static_cast<std::size_t>(got);
  }
  return bytes;
}

std::string RandomId() {
  constexpr std::string_view kDigits = "0123456789abcdefghijklmnopqrstuvwxyz";
  std::string id;
  while (id.size() < 25) {
    for (char byte : RandomBytes(32)) {
      auto value = static_cast<unsigned char>(byte);
      // 252 is the largest multiple of 36 in a byte: what lies above would favour some digits.
      if (value < 252 && id.size() < 25) id.push_back(kDigits[value % 36]);
    }
  }
  return id;
}

}  // namespace depot
