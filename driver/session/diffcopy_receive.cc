#include "driver/session/diffcopy_receive.h"

#include <deque>
#include <unordered_map>

#include <sys/stat.h>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/session/entry_table.h"
#include "driver/session/packets.h"

namespace depot::session {
namespace {

// Requests in flight: enough to keep a far builder busy with small files, few enough to fit into
// the smallest HTTP/2 window, so that asking never waits for the builder to read.
constexpr std::size_t kWindow = 1024;
// Requests are collected while the listing still comes.
constexpr std::size_t kBatch = 64;
constexpr std::size_t kMaxOpenFiles = 64;
// About what an announced file costs until the transfer has ended, beside its path: numbers in
// tables here and in the writer. Enough for 3 million files.
constexpr std::size_t kEntryCost = 96;
constexpr std::size_t kXattrCost = 64;
constexpr std::size_t kMaxHeld = 512 << 20;

using Xattrs = std::map<std::string, std::string>;

/// A file that was announced but not received yet; small, because there may be millions.
struct Announced {
  std::uint32_t id = 0;
  std::uint32_t link_target = 0;  ///< only for hard links
  std::uint32_t mode = 0;
  std::int64_t size = 0;
  std::int64_t mtime_ns = 0;
  std::unique_ptr<Xattrs> xattrs;
};

std::size_t SizeOf(const Xattrs& xattrs) {
  std::size_t size = 0;
  for (const auto& [name, value] : xattrs)
    size += kXattrCost + name.size() + value.size();
  return size;
}

class Receiver {
 public:
  Receiver(rpc::ServerCall& call,
           files::TreeWriter& writer,
           Faults& faults,
           Refusals& refusals,
           std::atomic<std::size_t>& held)
      : call_(call), writer_(writer), faults_(faults), refusals_(refusals), held_(held) {}

  ~Receiver() { held_ -= cost_; }
  Receiver(const Receiver&) = delete;
  Receiver& operator=(const Receiver&) = delete;

  Result<> Run(const Cancel& cancel) {
    Result<> received = ReceiveAll(cancel);
    std::string last;
    if (received) {
      AppendFin(last);
      TRY(call_.WriteFramed({rpc::Bytes(std::move(last))}, cancel));
      return WaitForFin(cancel);
    }
    if (!peer_failed_ && !cancel.cancelled()) {
      faults_.Record(received.error());
      AppendError(last, received.error().message());
      (void)call_.WriteFramed(
          {rpc::Bytes(std::move(last))},
          cancel.WithTimeout(kErrorPatience, "telling the builder of an error"));
    }
    return received;
  }

 private:
  struct Incoming {
    Announced announced;
    std::unique_ptr<files::TreeWriter::File> file;  ///< opened by its first packet
  };

  Result<> ReceiveAll(const Cancel& cancel) {
    while (!listed_ || !wanted_.empty() || !requested_.empty()) {
      Result<std::optional<std::string>> message = call_.Read(cancel);
      peer_failed_ = !message || !*message;
      if (!message) return Fail(std::move(message).error());
      if (!*message) {
        return Fail(ErrorCode::kUnavailable, "the builder ended the transfer of the result early");
      }
      TRY_ASSIGN(Packet packet, ParsePacket(**message));
      TRY(Take(packet));
      TRY(RequestMore(cancel));
    }
    for (const Announced& link : links_)
      TRY(MakeLink(link));
    return writer_.Finish();
  }

  Result<> Take(const Packet& packet) {
    switch (packet.type) {
      case PacketType::kStat:
        return packet.stat ? TakeStat(*packet.stat) : TakeEndOfStats();
      case PacketType::kData:
        return TakeData(packet);
      case PacketType::kError:
        peer_failed_ = true;
        return Fail(ErrorCode::kFailed, Cat("error from sender: ", Printable(packet.data)));
      default:
        return Fail(ErrorCode::kInvalid, "unexpected packet from the builder, which sends");
    }
  }

  Result<> TakeEndOfStats() {
    if (listed_) return Fail(ErrorCode::kInvalid, "the builder ended its list of files twice");
    listed_ = true;
    return {};
  }

  Result<> TakeStat(std::string_view stat) {
    if (listed_)
      return Fail(ErrorCode::kInvalid, "a file from the builder after the end of its list");
    TRY_ASSIGN(files::FileEntry entry, ParseStat(stat));
    TRY(Charge(kEntryCost + entry.path.size() + SizeOf(entry.xattrs)));
    TRY(CheckPlace(entry.path));
    last_path_ = entry.path;
    bool regular = S_ISREG(entry.mode);
    if (regular && !entry.linkname.empty()) return AnnounceLink(entry);
    EntryTable::Kind kind = EntryTable::Kind::kOther;
    if (regular) kind = EntryTable::Kind::kFile;
    if (S_ISDIR(entry.mode)) kind = EntryTable::Kind::kDirectory;
    TRY_ASSIGN(std::uint32_t id, table_.Add(entry.path, kind));
    if (!regular) return writer_.Make(entry);
    if (!writer_.Wants(entry)) return {};
    wanted_.push_back({id, 0, entry.mode, entry.size, entry.mtime_ns, nullptr});
    if (entry.xattrs.empty()) return {};
    wanted_.back().xattrs = std::make_unique<Xattrs>(std::move(entry.xattrs));
    return {};
  }

  /// What a stranger announces is kept, so it has a budget.
  Result<> Charge(std::size_t cost) {
    cost_ += cost;
    if (held_ += cost; held_ <= kMaxHeld) return {};
    return Fail(
        Error(ErrorCode::kInvalid,
              Cat("the builder announces more files than can be written at once: their names "
                  "and attributes take more than ",
                  kMaxHeld >> 20, " MiB"))
            .WithHint("an archive has no such limit (--output type=tar,dest=FILE)"));
  }

  /// Below the root, in order, and in a directory that this transfer has made: then nothing that
  /// lay there before, such as a symlink, is on the way.
  Result<> CheckPlace(const std::string& path) {
    if (Result<> clean = CheckRelativePath(path); !clean) return Refuse(path, "it is not below it");
    if (!last_path_.empty() && ComparePaths(last_path_, path) >= 0) {
      return Refuse(path, Cat("it comes out of order, after \"", last_path_, '"'));
    }
    std::size_t slash = path.rfind('/');
    if (slash == std::string::npos) return {};
    std::string_view parent = std::string_view(path).substr(0, slash);
    if (parent == last_parent_) return {};
    std::optional<std::uint32_t> id = table_.Find(parent);
    if (!id || table_.kind(*id) != EntryTable::Kind::kDirectory) {
      return Refuse(path, "its parent is not a directory of the result");
    }
    last_parent_ = parent;
    return {};
  }

  Result<> Refuse(const std::string& path, std::string_view why) {
    std::string text =
        Cat("refused \"", path, "\" from the builder for the output directory: ", why);
    refusals_.Say(text);
    return Fail(ErrorCode::kDenied, Printable(text));
  }

  Result<> AnnounceLink(const files::FileEntry& entry) {
    std::optional<std::uint32_t> target = table_.Find(entry.linkname);
    if (!target || table_.kind(*target) != EntryTable::Kind::kFile) {
      return Refuse(entry.path, Cat("it is a link to \"", entry.linkname, "\", no earlier file"));
    }
    TRY_ASSIGN(std::uint32_t id, table_.Add(entry.path, EntryTable::Kind::kLink));
    links_.push_back({id, *target, entry.mode, entry.size, entry.mtime_ns, nullptr});
    return {};
  }

  Result<> MakeLink(const Announced& link) {
    files::FileEntry entry = ToEntry(link);
    entry.linkname = table_.PathOf(link.link_target);
    return writer_.Make(entry);
  }

  files::FileEntry ToEntry(const Announced& announced) const {
    files::FileEntry entry;
    entry.path = table_.PathOf(announced.id);
    entry.mode = announced.mode;
    entry.size = announced.size;
    entry.mtime_ns = announced.mtime_ns;
    if (announced.xattrs) entry.xattrs = *announced.xattrs;
    return entry;
  }

  Result<> TakeData(const Packet& packet) {
    auto found = requested_.find(packet.id);
    if (found == requested_.end()) {
      return Fail(ErrorCode::kInvalid,
                  Cat("the builder sends file id ", packet.id, ", which was not asked for"));
    }
    Incoming& incoming = found->second;
    if (!incoming.file) TRY(Open(incoming));
    if (!packet.data.empty()) return incoming.file->Write(packet.data);
    Result<> committed = incoming.file->Commit();
    requested_.erase(found);
    --open_files_;
    return committed;
  }

  Result<> Open(Incoming& incoming) {
    if (open_files_ >= kMaxOpenFiles) {
      return Fail(ErrorCode::kInvalid,
                  Cat("the builder sends more than ", kMaxOpenFiles, " files at once"));
    }
    TRY_ASSIGN(incoming.file, writer_.Create(ToEntry(incoming.announced)));
    ++open_files_;
    return {};
  }

  Result<> RequestMore(const Cancel& cancel) {
    if (wanted_.empty() || requested_.size() > kWindow / 2) return {};
    if (!listed_ && wanted_.size() < kBatch) return {};
    std::string requests;
    while (!wanted_.empty() && requested_.size() < kWindow) {
      std::uint32_t id = wanted_.front().id;
      AppendRequest(requests, id);
      requested_.emplace(id, Incoming{std::move(wanted_.front()), nullptr});
      wanted_.pop_front();
    }
    Result<> asked = call_.WriteFramed({rpc::Bytes(std::move(requests))}, cancel);
    peer_failed_ = !asked;
    return asked;
  }

  /// Everything has arrived: only the sender's FIN, its end of the call, or its regret can follow.
  /// A sender that has our FIN waits for nothing more: the build, and the session with it, may end
  /// before its own FIN is read (fsutil send.go).
  Result<> WaitForFin(const Cancel& cancel) {
    Result<std::optional<std::string>> message = call_.Read(cancel);
    if (!message) {
      ErrorCode code = message.error().code();
      bool gone = code == ErrorCode::kCancelled || code == ErrorCode::kUnavailable;
      return gone ? Result<>() : Fail(std::move(message).error());
    }
    if (!*message) return {};
    TRY_ASSIGN(Packet packet, ParsePacket(**message));
    if (packet.type == PacketType::kFin) return {};
    return Take(packet);
  }

  rpc::ServerCall& call_;
  files::TreeWriter& writer_;
  Faults& faults_;
  Refusals& refusals_;
  std::atomic<std::size_t>& held_;  ///< by all transfers of the session
  std::size_t cost_ = 0;            ///< the share of this one
  EntryTable table_;
  std::string last_path_;
  std::string last_parent_;
  bool listed_ = false;
  bool peer_failed_ = false;
  std::deque<Announced> wanted_;  ///< not requested yet
  std::unordered_map<std::uint32_t, Incoming> requested_;
  std::size_t open_files_ = 0;
  std::vector<Announced> links_;
};

}  // namespace

Result<> ReceiveTree(rpc::ServerCall& call,
                     files::TreeWriter& writer,
                     Faults& faults,
                     Refusals& refusals,
                     std::atomic<std::size_t>& held,
                     const Cancel& cancel) {
  return Receiver(call, writer, faults, refusals, held).Run(cancel);
}

}  // namespace depot::session
