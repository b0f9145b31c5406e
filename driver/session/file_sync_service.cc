#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/event/shown_bytes.h"
#include "driver/files/content_times.h"
#include "driver/session/diffcopy_send.h"
#include "driver/session/refusals.h"
#include "driver/session/services.h"
#include "driver/session/stream_metadata.h"

namespace depot::session {
namespace {

using Trees = std::map<std::string, std::unique_ptr<files::FileTree>>;

class FileSync {
 public:
  FileSync(const Trees& trees, Faults& faults, EventSink& sink)
      : trees_(trees), faults_(faults), sink_(sink), refusals_(sink) {}

  Result<> DiffCopy(rpc::ServerCall& call, const Cancel& cancel) {
    const rpc::Metadata& metadata = call.metadata();
    TRY_ASSIGN(std::vector<std::string> names, DecodedValues(metadata, "dir-name"));
    if (names.size() != 1) {
      return Fail(ErrorCode::kInvalid, "a file sync call must name one directory");
    }
    const std::string& name = names.front();
    auto tree = trees_.find(name);
    if (tree == trees_.end()) {
      refusals_.Say(
          Cat("refused directory \"", name, "\" to the builder: it is not part of this build"));
      return Fail(ErrorCode::kNotFound, Cat("no access allowed to dir \"", Printable(name), '"'));
    }
    files::TreeFilter filter;
    TRY_ASSIGN(filter.include, DecodedValues(metadata, "include-patterns"));
    TRY_ASSIGN(filter.exclude, DecodedValues(metadata, "exclude-patterns"));
    TRY_ASSIGN(filter.follow, DecodedValues(metadata, "followpaths"));
    TRY(Enter(cancel));
    auto sent = SendTree(call, *tree->second, filter, faults_, cancel);
    Leave();
    if (!sent) return Fail(std::move(sent).error());
    if (!filter.exclude.empty() && filter.exclude.back() == files::kContentTimesMark) {
      sink_.Say(Cat(Printable(name), ": ", ShownBytes(static_cast<std::int64_t>(sent->sent)),
                    " of ", ShownBytes(static_cast<std::int64_t>(sent->whole)), " sent"));
    }
    SayClutter(name, *sent);
    return {};
  }

 private:
  /// A large context is mostly an accident, and the folders that make it so are nearly always the
  /// same.
  void SayClutter(const std::string& name, const SentTree& sent) {
    if (sent.announced < kLargeContext || sent.clutter < sent.announced / 2) return;
    sink_.Say(
        Cat(Printable(name), ": ", ShownBytes(static_cast<std::int64_t>(sent.clutter)), " of ",
            ShownBytes(static_cast<std::int64_t>(sent.announced)), " lie in ", sent.clutter_folders,
            ", which images hardly ever need; a line of .dockerignore keeps a folder out, and "
            "`context top` shows what is large"));
  }

  // Each holds a listing and two threads; builders ask for the same tree once at a time.
  static constexpr int kMaxTransfers = 16;
  static constexpr std::uint64_t kLargeContext = 50'000'000;

  /// Waits while too many transfers run: a hostile builder only holds itself up.
  Result<> Enter(const Cancel& cancel) {
    std::unique_lock lock(mutex_);
    if (!cancel.Wait(lock, changed_, [this] { return running_ < kMaxTransfers; })) {
      return Fail(cancel.error());
    }
    ++running_;
    return {};
  }

  void Leave() {
    std::lock_guard lock(mutex_);
    --running_;
    changed_.notify_all();
  }

  const Trees& trees_;
  Faults& faults_;
  EventSink& sink_;
  Refusals refusals_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  int running_ = 0;
};

}  // namespace

void AddFileSync(rpc::ServiceTable& table, const Trees& trees, Faults& faults, EventSink& sink) {
  auto service = std::make_shared<FileSync>(trees, faults, sink);
  table.Add("/moby.filesync.v1.FileSync/DiffCopy",
            [service](rpc::ServerCall& call, const Cancel& cancel) {
              Result<> sent = service->DiffCopy(call, cancel);
              return sent ? rpc::Status{} : rpc::ToStatus(sent.error());
            });
}

}  // namespace depot::session
