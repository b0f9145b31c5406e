#pragma once

#include <atomic>
#include <cstddef>

#include "driver/base/cancel.h"
#include "driver/files/tree_writer.h"
#include "driver/rpc/server.h"
#include "driver/session/faults.h"
#include "driver/session/refusals.h"

namespace depot::session {

/// Receives a tree as fsutil's receiver does (tonistiigi/fsutil receive.go, validator.go): checks
/// that every path lies below the root, comes in order and after its parent directory, makes what
/// is announced, requests the regular files that the writer wants, and answers with FIN when
/// everything is written. Hard links may only name earlier files; they are made at the end. What
/// breaks the rules fails the transfer and is said through `refusals`. Nothing grows with file
/// sizes, at most 64 files are open at once, and what all transfers of a session hold of listings
/// is counted in `held`, up to 512 MiB. On failure the builder gets an ERR packet with the reason,
/// which is also returned; unless it is the builder's own failure, `faults` has it before the
/// builder hears of it. Blocks, on the caller's thread alone.
Result<> ReceiveTree(rpc::ServerCall& call,
                     files::TreeWriter& writer,
                     Faults& faults,
                     Refusals& refusals,
                     std::atomic<std::size_t>& held,
                     const Cancel& cancel);

}  // namespace depot::session
