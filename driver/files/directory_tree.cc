#include <cerrno>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/disk/directory_listing.h"
#include "driver/files/beneath.h"
#include "driver/files/denied.h"
#include "driver/files/entry_reader.h"
#include "driver/files/filter.h"
#include "driver/files/follow.h"
#include "driver/files/tree.h"

namespace depot::files {
namespace {

// Deeper trees are walked with the directories farther up closed, and reopened on the way back.
constexpr std::size_t kMaxOpenDirectories = 64;
constexpr std::size_t kCancelInterval = 256;

bool IsNoFolderNow(int error) {
  return error == ENOENT || error == ENOTDIR || error == ELOOP;
}

/// One walk over the tree below `root`, without recursion.
class Walker {
 public:
  Walker(int root,
         const std::string& root_name,
         const Filter& filter,
         const FileTree::Visitor& visit,
         const Cancel& cancel)
      : root_(root), root_name_(root_name), filter_(filter), visit_(visit), cancel_(cancel) {}

  Result<> Run() {
    Frame& top = Push();
    top.filter = filter_.Root();
    top.sent = true;
    top.path_length = 0;
    top.fd.Reset(openat(root_, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    int error = top.fd.valid() ? top.listing.Read(top.fd.get()) : errno;
    if (error != 0) return Fail(SystemError(Cat("read the directory ", root_name_), error));
    while (depth_ > 0) {
      Frame& frame = *frames_[depth_ - 1];
      if (frame.next == frame.listing.names().size()) {
        frame.fd.Reset();
        --depth_;
        continue;
      }
      if (++steps_ % kCancelInterval == 0) TRY(cancel_.Check());
      TRY(Step(frame, frame.listing.names()[frame.next++]));
    }
    return {};
  }

 private:
  struct Frame {
    Fd fd;
    disk::DirectoryListing listing;
    std::size_t next = 0;  // in the listing
    Filter::Directory filter;
    std::size_t path_length = 0;  // of this directory's own path
    bool sent = false;
  };

  Frame& Push() {
    if (depth_ == frames_.size()) frames_.push_back(std::make_unique<Frame>());
    if (depth_ >= kMaxOpenDirectories) frames_[depth_ - kMaxOpenDirectories]->fd.Reset();
    Frame& frame = *frames_[depth_++];
    frame.next = 0;
    return frame;
  }

  /// 0 or the errno. After it, `frame.fd` is good for the *at() calls.
  int EnsureOpen(Frame& frame) {
    if (frame.fd.valid()) return 0;
    const std::string_view path(path_.data(), frame.path_length);
    const int fd =
        OpenBeneathStepwise(root_, path.empty() ? "." : path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return -fd;
    frame.fd.Reset(fd);
    return 0;
  }

  Result<> Step(Frame& frame, const disk::DirectoryListing::Name& name) {
    path_.resize(frame.path_length);
    if (!path_.empty()) path_.push_back('/');
    const std::size_t name_at = path_.size();
    path_.append(name.text, name.length);
    const int error = EnsureOpen(frame);
    if (error != 0) {
      if (!IsNoFolderNow(error)) return Fail(LookError("look at", path_, error, ""));
      frame.next = frame.listing.names().size();
      return {};
    }
    if (IsDirectory(frame, name)) return EnterDirectory(frame, name, name_at);
    if (!filter_.WantsFile(frame.filter, path_, name_at)) return {};
    return Send(depth_, name.text).map([](bool) {});
  }

  static bool IsDirectory(const Frame& frame, const disk::DirectoryListing::Name& name) {
    if (name.type != DT_UNKNOWN) return name.type == DT_DIR;
    struct stat st;
    return fstatat(frame.fd.get(), name.text, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
  }

  Result<> EnterDirectory(const Frame& parent,
                          const disk::DirectoryListing::Name& name,
                          std::size_t name_at) {
    Frame& frame = Push();
    frame.path_length = path_.size();
    filter_.EnterDirectory(parent.filter, path_, name_at, frame.filter);
    frame.sent = false;
    if (frame.filter.wanted) {
      TRY_ASSIGN(frame.sent, Send(depth_ - 1, name.text));
    }
    const bool vanished = frame.filter.wanted && !frame.sent;
    if (vanished || !frame.filter.descend) {
      --depth_;
      return {};
    }
    frame.fd.Reset(
        openat(parent.fd.get(), name.text, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    const int error = frame.fd.valid() ? frame.listing.Read(frame.fd.get()) : errno;
    if (error == 0) return {};
    frame.fd.Reset();
    --depth_;
    if (IsNoFolderNow(error)) return {};
    // Also one that is not wanted itself: nobody can tell then what a pattern may want of it.
    return Fail(SystemError(Cat("read the directory ", Printable(path_)), error)
                    .WithHint(filter_.HintOfUnreadable(frame.filter, path_)));
  }

  /// Visits the entry at path_, which is `name` in the directory of the frame below `depth`, and
  /// before it those of its parents that were held back. False when it has vanished.
  Result<bool> Send(std::size_t depth, const char* name) {
    std::size_t first = depth;
    while (first > 0 && !frames_[first - 1]->sent)
      --first;
    for (std::size_t i = first; i < depth; ++i) {
      Frame& held = *frames_[i];
      FileEntry entry;
      entry.path = path_.substr(0, held.path_length);
      const std::string held_name = entry.path.substr(entry.path.rfind('/') + 1);
      TRY_ASSIGN(const bool sent, SendOne(*frames_[i - 1], held_name.c_str(), std::move(entry)));
      if (!sent) return false;
      held.sent = true;
    }
    FileEntry entry;
    entry.path = path_;
    return SendOne(*frames_[depth - 1], name, std::move(entry));
  }

  Result<bool> SendOne(Frame& parent, const char* name, FileEntry entry) {
    const int error = EnsureOpen(parent);
    if (error != 0 && !IsNoFolderNow(error)) {
      return Fail(LookError("look at", entry.path, error, ""));
    }
    if (error != 0) return false;
    TRY_ASSIGN(const auto outcome, reader_.Read(parent.fd.get(), name, entry));
    if (outcome == EntryReader::Outcome::kVanished) return false;
    TRY(visit_(std::move(entry)));
    return true;
  }

  int root_;
  const std::string& root_name_;
  const Filter& filter_;
  const FileTree::Visitor& visit_;
  const Cancel& cancel_;
  EntryReader reader_;
  std::string path_;  // of the entry being looked at
  std::size_t steps_ = 0;
  std::size_t depth_ = 0;
  std::vector<std::unique_ptr<Frame>> frames_;  // the first depth_ are in use
};

class DirectoryTree final : public FileTree {
 public:
  DirectoryTree(Fd root, std::string name) : root_(std::move(root)), name_(std::move(name)) {}

  Result<> Walk(const TreeFilter& filter,
                const Visitor& visit,
                const Cancel& cancel) const override {
    TRY(cancel.Check());
    TRY_ASSIGN(const auto followed, ResolveFollowPaths(root_.get(), filter.follow, cancel));
    TRY_ASSIGN(const Filter compiled, Filter::Compile(filter, followed));
    return Walker(root_.get(), name_, compiled, visit, cancel).Run();
  }

  Result<Fd> Open(const std::string& path) const override {
    const std::string_view defect = PathDefect(path);
    if (!defect.empty()) {
      return Fail(ErrorCode::kInvalid,
                  Cat("refused to open \"", Printable(path), "\" below ", name_, ": ", defect));
    }
    // O_NONBLOCK: what was a file may have become a pipe that nobody writes to.
    const int fd = OpenBeneath(root_.get(), path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    if (fd == -ELOOP) {
      return Fail(ErrorCode::kInvalid, Cat("refused to open ", Printable(path), " below ", name_,
                                           ": the path leads through a symbolic link"));
    }
    if (fd < 0) return Fail(SystemError(Cat("open ", name_, "/", Printable(path)), -fd));
    Fd file(fd);
    struct stat st;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
      return Fail(ErrorCode::kInvalid, Cat("refused to open ", Printable(path), " below ", name_,
                                           ": it is not a regular file"));
    }
    return file;
  }

 private:
  Fd root_;
  std::string name_;
};

}  // namespace

Result<std::unique_ptr<FileTree>> OpenDirectoryTree(const std::string& root) {
  Fd fd(open(root.c_str(), O_PATH | O_CLOEXEC));
  if (!fd.valid()) return Fail(SystemError(Cat("open the directory ", Printable(root)), errno));
  struct stat st;
  if (fstat(fd.get(), &st) != 0 || !S_ISDIR(st.st_mode)) {
    return Fail(ErrorCode::kInvalid, Cat(Printable(root), " is not a directory"));
  }
  return std::make_unique<DirectoryTree>(std::move(fd), Printable(root));
}

}  // namespace depot::files
