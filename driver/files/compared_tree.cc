#include <mutex>
#include <set>
#include <unordered_map>

#include <sys/stat.h>

#include "driver/base/text.h"
#include "driver/files/tree.h"

namespace depot::files {
namespace {

/// What tells that a file has another content than before.
struct Look {
  std::int64_t size = 0;
  std::int64_t mtime_ns = 0;

  friend bool operator==(const Look&, const Look&) = default;
};

class ComparedTree final : public FileTree {
 public:
  ComparedTree(std::unique_ptr<FileTree> tree, std::function<void(std::string)> changed)
      : tree_(std::move(tree)), changed_(std::move(changed)) {}

  Result<> Walk(const TreeFilter& filter,
                const Visitor& visit,
                const Cancel& cancel) const override {
    auto compare = [&](FileEntry entry) {
      bool content = HasContent(entry);
      // Not by mtime_ns, which may stand for the content.
      if (content) Compare(entry.path, {entry.size, entry.state.mtime_ns});
      return visit(std::move(entry));
    };
    return tree_->Walk(filter, compare, cancel);
  }

  Result<Fd> Open(const std::string& path) const override {
    TRY_ASSIGN(Fd file, tree_->Open(path));
    struct stat info {};
    bool plain = ::fstat(file.get(), &info) == 0 && S_ISREG(info.st_mode);
    // A tree in memory has no times: its files have no name either.
    bool timed = info.st_nlink > 0;
    if (plain && timed) {
      Compare(path, {info.st_size, Nanoseconds(info.st_mtim)});
    }
    return file;
  }

  void Distrust(const std::string& path) const override { tree_->Distrust(path); }

 private:
  void Compare(const std::string& path, Look look) const {
    {
      std::lock_guard lock(mutex_);
      auto [known, fresh] = looks_.try_emplace(path, look);
      if (fresh || known->second == look || !told_.insert(path).second) return;
    }
    changed_(path);
  }

  const std::unique_ptr<FileTree> tree_;
  const std::function<void(std::string)> changed_;
  mutable std::mutex mutex_;
  mutable std::unordered_map<std::string, Look> looks_;
  mutable std::set<std::string> told_;
};

}  // namespace

std::unique_ptr<FileTree> MakeComparedTree(std::unique_ptr<FileTree> tree,
                                           std::function<void(std::string)> changed) {
  return std::make_unique<ComparedTree>(std::move(tree), std::move(changed));
}

}  // namespace depot::files
