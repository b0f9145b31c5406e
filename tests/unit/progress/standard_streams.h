#pragma once

#include <array>
#include <string>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "driver/base/fd.h"

namespace depot {

/// Puts another file in the place of a standard stream of this process while it lives; -1 closes
/// it.
class StreamSwap {
 public:
  StreamSwap(int stream, int replacement) : stream_(stream) {
    kept_.Reset(::fcntl(stream, F_DUPFD_CLOEXEC, 10));
    if (replacement < 0) {
      ::close(stream);
    } else {
      ::dup2(replacement, stream);
    }
  }
  ~StreamSwap() {
    if (kept_.valid()) ::dup2(kept_.get(), stream_);
  }
  StreamSwap(const StreamSwap&) = delete;
  StreamSwap& operator=(const StreamSwap&) = delete;

 private:
  int stream_;
  Fd kept_;
};

struct Pipe {
  Pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) == 0) {
      read.Reset(ends[0]);
      write.Reset(ends[1]);
    }
  }
  Fd read;
  Fd write;
};

/// Everything up to the end of file (or to ten seconds of silence).
inline std::string ReadAll(int fd) {
  std::string out;
  std::array<char, 65536> buffer{};
  while (true) {
    pollfd ready{fd, POLLIN, 0};
    if (::poll(&ready, 1, 10'000) <= 0) return out;
    ssize_t got = ::read(fd, buffer.data(), buffer.size());
    if (got <= 0) return out;
    out.append(buffer.data(), static_cast<std::size_t>(got));
  }
}

/// Up to the next newline; less when nothing comes for ten seconds.
inline std::string ReadLine(int fd) {
  std::string out;
  char byte = 0;
  pollfd ready{fd, POLLIN, 0};
  while (!out.ends_with('\n') && ::poll(&ready, 1, 10'000) > 0 && ::read(fd, &byte, 1) == 1) {
    out.push_back(byte);
  }
  return out;
}

}  // namespace depot
