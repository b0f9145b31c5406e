#pragma once

#include <chrono>

#include "driver/base/fd.h"
#include "driver/base/result.h"

namespace depot {

/// Keeps SIGINT and SIGTERM for WaitForStop(), and ignores SIGPIPE. Before there are threads: all
/// of them inherit it.
Result<Fd> KeepStopSignals();

/// Blocks until one of the two arrives.
void WaitForStop(const Fd& signals);

/// The same, for so long at most; false when none has arrived.
bool WaitForStop(const Fd& signals, std::chrono::milliseconds at_most);

}  // namespace depot
