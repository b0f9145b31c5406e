#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "driver/base/cancel.h"
#include "driver/rpc/bytes.h"
#include "driver/session/entry_table.h"

namespace depot::session {

/// What passes between the three threads of one outgoing transfer: the walker announces entries,
/// the reader hands over the builder's requests, the sender takes both.
class SendQueue {
 public:
  /// A file that the builder asked for, by the number and the path it was announced under.
  struct File {
    std::uint32_t id = 0;
    std::string path;
    bool empty = false;  ///< nothing to open: it stands for a socket
    /// Of a bound file (files::FileEntry), what it was announced for; 0 = any state will do.
    std::uint64_t state = 0;
  };

  /// Walker: the entry that its next STAT packet announces.
  Result<> Announce(std::string_view path, EntryTable::Kind kind, std::uint64_t state);

  /// Walker: whole STAT packets; waits while the sender has more than it can write.
  Result<> PushStats(std::string block, const Cancel& cancel);

  /// Reader: the builder wants a file. kInvalid for anything but a regular file, or twice the same.
  /// Never waits: a reader that did could block the builder, and with it the sender.
  Result<> Request(std::uint32_t id);

  /// What the sender does next.
  struct Work {
    rpc::BytesList stats;      ///< to be written first; may be empty
    std::optional<File> file;  ///< then the next file in order of the requests, if there is one
  };

  /// Sender: what there is to do at once; nullopt = nothing.
  std::optional<Work> Take();

  /// Sender: waits until there is something to do.
  Result<Work> Next(const Cancel& cancel);

  /// Sender: only the STAT packets, without waiting.
  rpc::BytesList TakeStats();

 private:
  bool HasWorkLocked() const { return !stats_.empty() || !requests_.empty(); }
  Work TakeWorkLocked();
  rpc::BytesList TakeStatsLocked();

  std::mutex mutex_;
  std::condition_variable_any changed_;
  EntryTable table_;
  std::vector<std::uint64_t> states_;  ///< File::state by number; ends with the last that has one
  rpc::BytesList stats_;
  std::size_t stats_size_ = 0;
  std::deque<std::uint32_t> requests_;  ///< bounded by the table: each id comes once
};

}  // namespace depot::session
