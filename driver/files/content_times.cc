#include "driver/files/content_times.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <mutex>
#include <set>
#include <unordered_map>

#include <sys/stat.h>

#include "driver/base/random.h"
#include "driver/base/text.h"

namespace depot::files {
namespace {

constexpr std::int64_t kNanosecondsOfSecond = 1'000'000'000;
/// 2000-01-01: no tool takes it for the future, nor for "no time at all".
constexpr std::int64_t kFirstSecond = 946'684'800;
/// The clock of file systems ticks at least that often; within one tick a file can be written to
/// twice and look the same.
constexpr std::int64_t kTick = 25'000'000;
constexpr int kReadTries = 3;

std::int64_t TimeOfBits(std::uint64_t bits) {
  const auto seconds = static_cast<std::int64_t>(bits >> 36);
  const auto nanoseconds = static_cast<std::int64_t>(bits & ((1ULL << 36) - 1));
  return (kFirstSecond + seconds) * kNanosecondsOfSecond + nanoseconds % kNanosecondsOfSecond;
}

std::uint64_t FirstBits(std::string_view bytes) {
  std::uint64_t bits = 0;
  std::memcpy(&bits, bytes.data(), std::min(bytes.size(), sizeof bits));
  return __builtin_bswap64(bits);
}

std::int64_t FreshTime() {
  return TimeOfBits(FirstBits(RandomBytes(sizeof(std::uint64_t))));
}

/// One walk; a later name of a file has the time of its first one.
class TimedWalk {
 public:
  TimedWalk(const FileTree& tree,
            const ContentNames& names,
            ContentTally& tally,
            const std::set<std::string>& distrusted,
            const Cancel& cancel)
      : tree_(tree), names_(names), tally_(tally), distrusted_(distrusted), cancel_(cancel) {}

  Result<> SetTime(FileEntry& entry) {
    if (S_ISREG(entry.mode)) {
      auto first = entry.linkname.empty() ? times_.end() : times_.find(entry.linkname);
      if (first != times_.end()) {
        entry.mtime_ns = first->second.mtime_ns;
        entry.size = first->second.size;
        return {};
      }
      TRY(SetFileTime(entry));
      if (entry.links > 1) times_.emplace(entry.path, FirstName{entry.mtime_ns, entry.size});
    } else {
      // The target is all that a link has; of the rest the builder compares nothing more.
      entry.mtime_ns = Time(names_.Of(entry.linkname), entry);
    }
    return {};
  }

 private:
  std::int64_t Time(std::string_view name, const FileEntry& entry) const {
    if (entry.xattrs.empty()) return ContentTime(name);
    std::string all(name);
    for (const auto& [key, value] : entry.xattrs)
      all += Cat('\0', key.size(), ' ', key, value.size(), ' ', value);
    return ContentTime(names_.Of(all));
  }

  Result<> SetFileTime(FileEntry& entry) {
    if (!distrusted_.empty() && distrusted_.contains(entry.path)) {
      entry.mtime_ns = FreshTime();
      return {};
    }
    if (const std::string_view name = names_.Known(entry); !name.empty()) {
      tally_.known.fetch_add(1, std::memory_order_relaxed);
      entry.mtime_ns = Time(name, entry);
      entry.bound = true;
      return {};
    }
    tally_.read.fetch_add(1, std::memory_order_relaxed);
    // Where one is written to, others may be, and the transfer that comes now is the last one.
    if (!distrusted_.empty()) {
      entry.mtime_ns = FreshTime();
      return {};
    }
    for (int i = 0; i < kReadTries && !entry.bound; ++i)
      TRY(Read(entry));
    if (!entry.bound) entry.mtime_ns = FreshTime();
    return {};
  }

  /// Leaves it unbound when it changed meanwhile. One that cannot be opened is not needed, perhaps:
  /// whoever asks for it will hear why.
  Result<> Read(FileEntry& entry) {
    Result<Fd> file = tree_.Open(entry.path);
    if (!file) return {};
    struct stat before {};
    if (::fstat(file->get(), &before) != 0) return {};
    if (!WaitForTick(Nanoseconds(before.st_ctim))) return Fail(cancel_.error());
    auto name = names_.Read(file->get(), before.st_size, cancel_);
    if (cancel_.cancelled()) return Fail(cancel_.error());
    struct stat after {};
    if (!name || ::fstat(file->get(), &after) != 0 || StateOf(before) != StateOf(after)) return {};
    entry.size = after.st_size;
    entry.state = StateOf(after);
    entry.mtime_ns = Time(*name, entry);
    entry.bound = true;
    return {};
  }

  bool WaitForTick(std::int64_t changed_ns) {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    const std::int64_t age = Nanoseconds(now) - changed_ns;
    if (age > kTick || age < -kTick) return true;
    return cancel_.SleepFor(std::chrono::nanoseconds(kTick - age));
  }

  const FileTree& tree_;
  const ContentNames& names_;
  ContentTally& tally_;
  const std::set<std::string>& distrusted_;
  const Cancel& cancel_;
  struct FirstName {
    std::int64_t mtime_ns = 0;
    std::int64_t size = 0;
  };

  std::unordered_map<std::string, FirstName> times_;  ///< of files with several names
};

class ContentTimesTree final : public FileTree {
 public:
  ContentTimesTree(std::unique_ptr<FileTree> tree,
                   std::shared_ptr<const ContentNames> names,
                   std::shared_ptr<ContentTally> tally)
      : tree_(std::move(tree)), names_(std::move(names)), tally_(std::move(tally)) {}

  Result<> Walk(const TreeFilter& filter,
                const Visitor& visit,
                const Cancel& cancel) const override {
    if (filter.exclude.empty() || filter.exclude.back() != kContentTimesMark) {
      return tree_->Walk(filter, visit, cancel);
    }
    TreeFilter plain = filter;
    plain.exclude.pop_back();
    std::set<std::string> distrusted;
    {
      std::lock_guard lock(mutex_);
      distrusted = distrusted_;
    }
    TimedWalk walk(*tree_, *names_, *tally_, distrusted, cancel);
    auto timed = [&](FileEntry entry) -> Result<> {
      TRY(walk.SetTime(entry));
      return visit(std::move(entry));
    };
    return tree_->Walk(plain, timed, cancel);
  }

  Result<Fd> Open(const std::string& path) const override { return tree_->Open(path); }

  void Distrust(const std::string& path) const override {
    std::lock_guard lock(mutex_);
    distrusted_.insert(path);
    tally_->distrusted = true;
  }

 private:
  const std::unique_ptr<FileTree> tree_;
  const std::shared_ptr<const ContentNames> names_;
  const std::shared_ptr<ContentTally> tally_;
  mutable std::mutex mutex_;
  mutable std::set<std::string> distrusted_;
};

}  // namespace

std::int64_t ContentTime(std::string_view name) {
  return TimeOfBits(FirstBits(name));
}

std::unique_ptr<FileTree> MakeContentTimesTree(std::unique_ptr<FileTree> tree,
                                               std::shared_ptr<const ContentNames> names,
                                               std::shared_ptr<ContentTally> tally) {
  return std::make_unique<ContentTimesTree>(std::move(tree), std::move(names), std::move(tally));
}

}  // namespace depot::files
