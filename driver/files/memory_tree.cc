#include <cerrno>

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/files/filter.h"
#include "driver/files/tree.h"

namespace depot::files {
namespace {

class MemoryTree final : public FileTree {
 public:
  explicit MemoryTree(std::map<std::string, std::string> files) : files_(std::move(files)) {}

  Result<> Walk(const TreeFilter& filter,
                const Visitor& visit,
                const Cancel& cancel) const override {
    // No symlinks here: a followed path is what it says.
    TRY_ASSIGN(const Filter compiled, Filter::Compile(filter, filter.follow));
    const Filter::Directory root = compiled.Root();
    for (const auto& [name, content] : files_) {
      TRY(cancel.Check());
      if (!compiled.WantsFile(root, name, 0)) continue;
      FileEntry entry;
      entry.path = name;
      entry.mode = S_IFREG | 0644;
      entry.size = static_cast<std::int64_t>(content.size());
      TRY(visit(std::move(entry)));
    }
    return {};
  }

  Result<Fd> Open(const std::string& path) const override {
    const auto file = files_.find(path);
    if (file == files_.end()) {
      return Fail(ErrorCode::kNotFound, Cat("open ", Printable(path), ": no such file"));
    }
    Fd fd(memfd_create("depot-file", MFD_CLOEXEC));
    if (!fd.valid()) return Fail(SystemError(Cat("open ", Printable(path)), errno));
    std::string_view rest = file->second;
    while (!rest.empty()) {
      const ssize_t written = write(fd.get(), rest.data(), rest.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return Fail(SystemError(Cat("open ", Printable(path)), errno));
      rest.remove_prefix(static_cast<std::size_t>(written));
    }
    if (lseek(fd.get(), 0, SEEK_SET) != 0) {
      return Fail(SystemError(Cat("open ", Printable(path)), errno));
    }
    return fd;
  }

 private:
  std::map<std::string, std::string> files_;
};

}  // namespace

std::unique_ptr<FileTree> MakeMemoryTree(std::map<std::string, std::string> files) {
  return std::make_unique<MemoryTree>(std::move(files));
}

}  // namespace depot::files
