#pragma once

#include <cstdint>
#include <string>

#include "driver/base/cancel.h"
#include "driver/files/tree.h"
#include "driver/rpc/server.h"
#include "driver/session/faults.h"

namespace depot::session {

/// What one transfer moved, in bytes.
struct SentTree {
  std::uint64_t announced = 0;  ///< the sizes of all files
  std::uint64_t clutter = 0;    ///< of them, what images hardly ever need: files::Clutter
  std::string clutter_folders;  ///< where that lies, for people
  std::uint64_t sent = 0;   ///< what travelled: announcements, contents, and what is around them
  std::uint64_t whole = 0;  ///< the same, had the builder asked for every file
};

/// Sends what `filter` wants of `tree` as fsutil's sender does (tonistiigi/fsutil send.go): a STAT
/// packet per entry, then the content of every file that the builder requests, until it says FIN.
/// All owners become 0:0. A file that cannot be read any more fails the transfer, where fsutil
/// would send an empty one; a file that has grown is sent as it was when opened. On failure the
/// builder gets an ERR packet with the reason, which is also returned; `faults` has what failed on
/// this side. A bound file (files::FileEntry) that has another state than when it was announced is
/// distrusted, and fails the transfer without a fault: the builder throws away what it has, and may
/// be sent everything anew. Memory stays within a few
/// MiB plus about a file name per entry. Blocks; uses two more threads.
Result<SentTree> SendTree(rpc::ServerCall& call,
                          const files::FileTree& tree,
                          const files::TreeFilter& filter,
                          Faults& faults,
                          const Cancel& cancel);

}  // namespace depot::session
