#include "driver/session/diffcopy_send.h"

#include <algorithm>
#include <cerrno>
#include <limits>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "driver/base/shown.h"
#include "driver/base/task_group.h"
#include "driver/base/text.h"
#include "driver/files/clutter.h"
#include "driver/session/block_pool.h"
#include "driver/session/packets.h"
#include "driver/session/request_pace.h"
#include "driver/session/send_queue.h"

namespace depot::session {
namespace {

constexpr std::size_t kStatBlock = 64 << 10;
// On a slow disk the builder should not idle until a whole block of STAT packets is together.
constexpr auto kStatDelay = std::chrono::milliseconds(10);
// What is written at once: larger blocks cost cache misses, smaller ones wake-ups and TLS records.
constexpr std::size_t kDataBlock = 512 << 10;
// One packet, header and all, within the 32 KiB up to which Go's allocator (runtime/sizeclasses.go)
// has room at hand: for larger ones a builder gets zeroed pages from the heap each time.
constexpr std::size_t kDataPacket = 32'700;
constexpr std::size_t kMostPackets = kDataBlock / kDataPacket + 1;
// A large file starts a block of its own rather than to fill the last bytes of one.
constexpr std::size_t kSmallestPiece = 16 << 10;
constexpr std::int64_t kSequentialFrom = 1 << 20;

/// A state as one number, never 0.
std::uint64_t NumberOf(const files::FileState& state) {
  std::uint64_t number = 0;
  for (const auto part :
       {state.device, state.inode, static_cast<std::uint64_t>(state.size),
        static_cast<std::uint64_t>(state.mtime_ns), static_cast<std::uint64_t>(state.ctime_ns)}) {
    number = (number ^ part) * 0x9e3779b97f4a7c15ULL;
    number ^= number >> 32;
  }
  return number | 1;
}

EntryTable::Kind KindOf(const files::FileEntry& entry) {
  switch (entry.mode & S_IFMT) {
    case S_IFREG:
      return EntryTable::Kind::kFile;
    case S_IFSOCK:
      return EntryTable::Kind::kEmptyFile;
    case S_IFDIR:
      return EntryTable::Kind::kDirectory;
    default:
      return EntryTable::Kind::kOther;
  }
}

/// The walking thread: announces every entry, in blocks of STAT packets.
class Walker {
 public:
  explicit Walker(SendQueue& queue) : queue_(queue) {}

  Result<> Run(const files::FileTree& tree, const files::TreeFilter& filter, const Cancel& cancel) {
    auto visit = [&](const files::FileEntry& entry) { return Visit(entry, cancel); };
    TRY(tree.Walk(filter, visit, cancel));
    AppendEndOfStats(block_);
    return Push(cancel);
  }

  /// The sizes of all files, when Run() has returned.
  std::uint64_t announced() const { return announced_; }
  const files::Clutter& clutter() const { return clutter_; }

 private:
  Result<> Visit(const files::FileEntry& entry, const Cancel& cancel) {
    TRY(queue_.Announce(entry.path, KindOf(entry), entry.bound ? NumberOf(entry.state) : 0));
    if (files::HasContent(entry)) announced_ += static_cast<std::uint64_t>(entry.size);
    clutter_.See(entry);
    AppendStat(block_, entry);
    if (block_.size() < kStatBlock && Cancel::Clock::now() - pushed_ < kStatDelay) return {};
    return Push(cancel);
  }

  Result<> Push(const Cancel& cancel) {
    std::string block;
    block.reserve(kStatBlock + 4096);
    block.swap(block_);
    TRY(queue_.PushStats(std::move(block), cancel));
    pushed_ = Cancel::Clock::now();
    return {};
  }

  SendQueue& queue_;
  std::string block_;
  std::uint64_t announced_ = 0;
  files::Clutter clutter_;
  Cancel::Clock::time_point pushed_ = Cancel::Clock::now();
};

/// The sending thread, the only one that writes: STAT packets as they come, and files packed into
/// blocks: many small ones into one, a large one over many.
class Sender {
 public:
  Sender(rpc::ServerCall& call, const files::FileTree& tree, SendQueue& queue, Faults& faults)
      : call_(call), tree_(tree), queue_(queue), faults_(faults) {}

  /// Bytes that travelled, and those of them that are contents, when Run() has returned.
  std::uint64_t sent() const { return sent_; }
  std::uint64_t contents() const { return contents_; }

  Result<> Run(const Cancel& cancel) {
    while (true) {
      std::optional<SendQueue::Work> work = queue_.Take();
      if (!work) {
        // What is packed does not wait for what comes next.
        if (used_ > 0) TRY(Flush(cancel));
        TRY_ASSIGN(work, queue_.Next(cancel));
      }
      TRY(WriteStats(std::move(work->stats), cancel));
      if (work->file) TRY(SendFile(*work->file, cancel));
    }
  }

 private:
  Result<> SendFile(const SendQueue::File& file, const Cancel& cancel) {
    if (!file.empty) TRY(SendContent(file, cancel));
    TRY(MakeRoom(kMaxDataHeader, cancel));
    used_ += WriteDataHeader(block_.get() + used_, file.id, 0);
    return {};
  }

  Result<> SendContent(const SendQueue::File& file, const Cancel& cancel) {
    TRY_ASSIGN(Fd fd, Open(file.path));
    struct stat info {};
    if (::fstat(fd.get(), &info) != 0) return Ours(Unreadable(file.path, errno));
    if (!S_ISREG(info.st_mode)) {
      return Ours({ErrorCode::kFailed, Cat("context file ", Printable(file.path),
                                           " was replaced while it was being sent")});
    }
    TRY(CheckState(info, file));
    if (info.st_size >= kSequentialFrom) ::posix_fadvise(fd.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
    // Some file systems (proc, FUSE) say 0 for files with content; those are read to their end. Any
    // other file is sent as large as it is now, so that a log that keeps growing comes to an end.
    auto left = info.st_size > 0 ? static_cast<std::uint64_t>(info.st_size)
                                 : std::numeric_limits<std::uint64_t>::max();
    bool unsized = info.st_size == 0;
    while (left > 0) {
      TRY_ASSIGN(std::size_t count, SendPieces(fd.get(), left, file, cancel));
      if (count == 0) break;
      contents_ += count;
      left -= count;
      // One that was empty when it was opened, and is written to faster than it is sent.
      if (std::exchange(unsized, false) && ::fstat(fd.get(), &info) == 0 && info.st_size > 0) {
        left =
            static_cast<std::uint64_t>(info.st_size) - std::min<std::uint64_t>(info.st_size, count);
      }
      if (left > 0) TRY(WriteStats(queue_.TakeStats(), cancel));
    }
    if (file.state == 0) return {};
    if (::fstat(fd.get(), &info) != 0) return Ours(Unreadable(file.path, errno));
    return CheckState(info, file);
  }

  /// What was announced stands for the content that the file had then.
  Result<> CheckState(const struct stat& info, const SendQueue::File& file) {
    if (file.state == 0 || NumberOf(files::StateOf(info)) == file.state) return {};
    tree_.Distrust(file.path);
    return Fail(Error(ErrorCode::kFailed, Cat("context file ", Printable(file.path),
                                              " changed while it was being sent"))
                    .WithHint("--context-times=file sends files that change all the time"));
  }

  /// A packet in block_ whose header is written and whose content is to be read.
  struct Piece {
    char* at = nullptr;
    std::size_t header = 0;
    std::size_t size = 0;
  };

  /// Appends DATA packets of up to `left` bytes in all; 0 at the end of the file.
  Result<std::size_t> SendPieces(int fd,
                                 std::uint64_t left,
                                 const SendQueue::File& file,
                                 const Cancel& cancel) {
    TRY(MakeRoom(kMaxDataHeader + std::min<std::uint64_t>(left, kSmallestPiece), cancel));
    Piece pieces[kMostPackets];
    iovec places[kMostPackets];
    const std::size_t planned = Plan(left, file.id, pieces);
    for (std::size_t i = 0; i < planned; ++i)
      places[i] = {pieces[i].at + pieces[i].header, pieces[i].size};
    ssize_t count = 0;
    do {
      count = ::readv(fd, places, static_cast<int>(planned));
    } while (count < 0 && errno == EINTR);
    if (count < 0) return Ours(Unreadable(file.path, errno));
    auto rest = static_cast<std::size_t>(count);
    for (std::size_t i = 0; i < planned && rest > 0; ++i) {
      if (rest < pieces[i].size) Shorten(pieces[i], file.id, rest);
      used_ += pieces[i].header + pieces[i].size;
      rest -= pieces[i].size;
    }
    return static_cast<std::size_t>(count);
  }

  /// How many packets are begun in what is left of block_.
  std::size_t Plan(std::uint64_t left, std::uint32_t id, Piece (&pieces)[kMostPackets]) const {
    std::size_t planned = 0;
    std::size_t used = used_;
    while (left > 0 && planned < kMostPackets) {
      const std::size_t room = kDataBlock - used;
      if (room < kMaxDataHeader + std::min<std::uint64_t>(left, kSmallestPiece)) break;
      const std::size_t most = std::min(room, kDataPacket) - kMaxDataHeader;
      const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(left, most));
      char* at = block_.get() + used;
      pieces[planned] = {at, WriteDataHeader(at, id, size), size};
      used += pieces[planned].header + size;
      left -= size;
      ++planned;
    }
    return planned;
  }

  /// The header's length depends on the content's: a short read moves the content.
  static void Shorten(Piece& piece, std::uint32_t id, std::size_t size) {
    const char* content = piece.at + piece.header;
    char right[kMaxDataHeader];
    piece.header = WriteDataHeader(right, id, size);
    std::copy(content, content + size, piece.at + piece.header);
    std::copy(right, right + piece.header, piece.at);
    piece.size = size;
  }

  Result<Fd> Open(const std::string& path) {
    Result<Fd> fd = tree_.Open(path);
    if (fd) return fd;
    if (fd.error().code() == ErrorCode::kNotFound) {
      return Ours({ErrorCode::kNotFound,
                   Cat("context file ", Printable(path), " vanished while it was being sent")});
    }
    Error error = std::move(fd).error().While("sending the context");
    if (error.code() != ErrorCode::kDenied) return Ours(std::move(error));
    return Ours(std::move(error).WithHint("make it readable, or exclude it in .dockerignore"));
  }

  tl::unexpected<Error> Ours(Error error) {
    faults_.Record(error);
    return Fail(std::move(error));
  }

  static Error Unreadable(const std::string& path, int error_number) {
    return SystemError(Cat("reading context file ", Printable(path)), error_number);
  }

  Result<> MakeRoom(std::size_t size, const Cancel& cancel) {
    if (used_ + size > kDataBlock) TRY(Flush(cancel));
    if (!block_) block_ = pool_.Take();
    return {};
  }

  Result<> Flush(const Cancel& cancel) {
    sent_ += used_;
    if (used_ == 0) return {};
    std::string_view content(block_.get(), used_);
    rpc::Bytes bytes(std::move(block_), content);
    block_ = nullptr;
    used_ = 0;
    return call_.WriteFramed({std::move(bytes)}, cancel);
  }

  Result<> WriteStats(rpc::BytesList stats, const Cancel& cancel) {
    if (stats.empty()) return {};
    for (const rpc::Bytes& piece : stats)
      sent_ += piece.size();
    return call_.WriteFramed(std::move(stats), cancel);
  }

  rpc::ServerCall& call_;
  const files::FileTree& tree_;
  SendQueue& queue_;
  Faults& faults_;
  BlockPool pool_{kDataBlock};
  std::shared_ptr<char[]> block_;
  std::uint64_t sent_ = 0;
  std::uint64_t contents_ = 0;
  std::size_t used_ = 0;  ///< bytes in block_
};

enum class End { kFin, kPeerFailed, kFailed };

struct ReadEnd {
  End end;
  Error error{ErrorCode::kCancelled, "the transfer is complete"};
};

/// Takes the builder's requests until it says how the transfer ends.
ReadEnd ReadRequests(rpc::ServerCall& call, SendQueue& queue, const Cancel& cancel) {
  RequestPace pace;
  while (true) {
    const Cancel::Clock::time_point begin = Cancel::Clock::now();
    Result<std::optional<std::string>> message = call.Read(cancel);
    const Cancel::Clock::duration waited = Cancel::Clock::now() - begin;
    if (!message) return {End::kFailed, std::move(message).error()};
    if (!*message) {
      return {End::kPeerFailed, Error(ErrorCode::kUnavailable,
                                      "the builder ended the transfer of the context early")};
    }
    Result<Packet> packet = ParsePacket(**message);
    if (!packet) return {End::kFailed, std::move(packet).error()};
    switch (packet->type) {
      case PacketType::kFin:
        return {End::kFin};
      case PacketType::kError:
        return {End::kPeerFailed,
                Error(ErrorCode::kFailed, Cat("error from receiver: ", Printable(packet->data)))};
      case PacketType::kRequest:
        if (pace.Gathers(waited)) cancel.SleepFor(RequestPace::kGathering);
        if (Result<> asked = queue.Request(packet->id); !asked) {
          return {End::kFailed, std::move(asked).error()};
        }
        break;
      default:
        return {End::kFailed,
                Error(ErrorCode::kInvalid, "unexpected packet from the builder, which receives")};
    }
  }
}

}  // namespace

Result<SentTree> SendTree(rpc::ServerCall& call,
                          const files::FileTree& tree,
                          const files::TreeFilter& filter,
                          Faults& faults,
                          const Cancel& cancel) {
  SendQueue queue;
  Walker walker(queue);
  Sender sender(call, tree, queue, faults);
  TaskGroup group(cancel);
  group.Start("context walk", [&](const Cancel& stop) {
    Result<> walked = walker.Run(tree, filter, stop);
    // A pattern that is malformed is what the builder asks for.
    bool ours = !walked && !stop.cancelled() && walked.error().code() != ErrorCode::kInvalid;
    if (ours) faults.Record(walked.error());
    return walked;
  });
  group.Start("context send", [&](const Cancel& stop) { return sender.Run(stop); });
  ReadEnd read = ReadRequests(call, queue, group.cancel());
  // Wakes the threads; when one of them has failed already, that stays the group's error.
  group.Stop(read.error);
  Result<> sent = group.Wait();
  std::string last;
  if (read.end == End::kFin) {
    AppendFin(last);
    TRY(call.WriteFramed({rpc::Bytes(std::move(last))}, cancel));
    // A file that has grown since it was announced is sent as it is then.
    const std::uint64_t contents = std::max(walker.announced(), sender.contents());
    return SentTree{walker.announced(), walker.clutter().bytes(), walker.clutter().Names(),
                    sender.sent(), contents + sender.sent() - sender.contents()};
  }
  Error cause = sent ? read.error : sent.error();
  if (read.end == End::kFailed && !cancel.cancelled()) {
    AppendError(last, cause.message());
    (void)call.WriteFramed({rpc::Bytes(std::move(last))},
                           cancel.WithTimeout(kErrorPatience, "telling the builder of an error"));
  }
  return Fail(std::move(cause));
}

}  // namespace depot::session
