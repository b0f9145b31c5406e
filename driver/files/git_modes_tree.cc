#include <utility>

#include <sys/stat.h>

#include "driver/files/tree.h"

namespace depot::files {
namespace {

std::uint32_t GitMode(std::uint32_t mode) {
  if (!S_ISDIR(mode) && !S_ISREG(mode)) return mode;
  const bool executable = S_ISDIR(mode) || (mode & S_IXUSR) != 0;
  return (mode & S_IFMT) | (executable ? 0755 : 0644);
}

class GitModesTree final : public FileTree {
 public:
  explicit GitModesTree(std::unique_ptr<FileTree> tree) : tree_(std::move(tree)) {}

  Result<> Walk(const TreeFilter& filter,
                const Visitor& visit,
                const Cancel& cancel) const override {
    const auto changed = [&](FileEntry entry) {
      entry.mode = GitMode(entry.mode);
      return visit(std::move(entry));
    };
    return tree_->Walk(filter, changed, cancel);
  }

  Result<Fd> Open(const std::string& path) const override { return tree_->Open(path); }
  void Distrust(const std::string& path) const override { tree_->Distrust(path); }

 private:
  const std::unique_ptr<FileTree> tree_;
};

}  // namespace

std::unique_ptr<FileTree> MakeGitModesTree(std::unique_ptr<FileTree> tree) {
  return std::make_unique<GitModesTree>(std::move(tree));
}

}  // namespace depot::files
