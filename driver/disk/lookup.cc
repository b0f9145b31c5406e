#include "driver/disk/lookup.h"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <deque>
#include <filesystem>

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/disk/read_file.h"

namespace depot::disk {
namespace {

namespace fs = std::filesystem;

/// Without a slash at its end.
fs::path Normal(const fs::path& path) {
  const fs::path normal = path.lexically_normal();
  return normal.has_filename() ? normal : normal.parent_path();
}

/// What remains of `path` below `tree`; "" when it is not there.
std::string Below(const fs::path& path, const fs::path& tree) {
  const auto [in_tree, in_path] = std::mismatch(tree.begin(), tree.end(), path.begin(), path.end());
  if (in_tree != tree.end()) return "";
  fs::path rest;
  for (auto part = in_path; part != path.end(); ++part)
    rest /= *part;
  return rest.empty() ? "." : rest.string();
}

fs::path Common(const fs::path& a, const fs::path& b) {
  fs::path common;
  for (auto in_a = a.begin(), in_b = b.begin();
       in_a != a.end() && in_b != b.end() && *in_a == *in_b; ++in_a, ++in_b) {
    common /= *in_a;
  }
  return common;
}

Bounds Bind(const fs::path& root, std::string rest, const fs::path& path) {
  // Nothing leads out of it.
  if (root == "/") return {"", path.string()};
  return {root.string(), std::move(rest)};
}

/// One walk along a path, the directories on the way held open: ".." goes back to the one before,
/// whatever has become of it.
class Steps {
 public:
  Steps(const std::string& root, Fd fd) : root_(root) { done_.push_back({std::move(fd), "", {}}); }

  Result<Found> Take(const std::string& rest) {
    Prepend(rest);
    while (!left_.empty()) {
      const std::string part = std::move(left_.front());
      left_.pop_front();
      if (part.empty() || part == ".") continue;
      if (part != "..") {
        TRY(Enter(part));
      } else if (done_.size() > 1) {
        done_.pop_back();
      } else {
        return Fail(LeadsOut());
      }
    }
    const std::string path = Path("");
    Step last = std::move(done_.back());
    if (done_.size() == 1) {
      if (fstat(last.fd.get(), &last.status) != 0) return Fail(SystemError(path, errno));
      last.name = ".";
    } else {
      last.fd = std::move(done_[done_.size() - 2].fd);
    }
    Found found(std::move(last.fd), std::move(last.name), path, last.status);
    if (absolute_) found.set_by_absolute_link();
    return found;
  }

 private:
  struct Step {
    Fd fd;
    std::string name;
    struct stat status;
  };

  void Prepend(std::string_view path) {
    std::size_t at = 0;
    for (const std::string_view part : Split(path, '/'))
      left_.emplace(left_.begin() + static_cast<std::ptrdiff_t>(at++), part);
  }

  std::string Path(std::string_view name) const {
    std::string path = root_;
    for (std::size_t i = 1; i < done_.size(); ++i)
      path += Cat("/", done_[i].name);
    return name.empty() ? path : Cat(path, "/", name);
  }

  Result<> Enter(const std::string& name) {
    Step step{
        Fd(openat(done_.back().fd.get(), name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC)), name, {}};
    if (!step.fd.valid() || fstat(step.fd.get(), &step.status) != 0) {
      return Fail(SystemError(Printable(Path(name)), errno));
    }
    if (S_ISLNK(step.status.st_mode)) return Follow(step);
    done_.push_back(std::move(step));
    return {};
  }

  Result<> Follow(const Step& link) {
    link_ = Path(link.name);
    if (++links_ > kMaxLinks) return Fail(SystemError(Printable(link_), ELOOP));
    char target[PATH_MAX];
    const ssize_t length = readlinkat(link.fd.get(), "", target, sizeof target);
    if (length < 0) return Fail(SystemError(Printable(link_), errno));
    target_.assign(target, static_cast<std::size_t>(length));
    if (!target_.starts_with('/')) {
      Prepend(target_);
      return {};
    }
    const std::string rest = Below(Normal(target_), root_);
    if (rest.empty()) return Fail(LeadsOut());
    absolute_ = true;
    done_.resize(1);
    Prepend(rest);
    return {};
  }

  Error LeadsOut() const {
    if (link_.empty()) return {ErrorCode::kInvalid, Cat("a path out of ", Printable(root_))};
    return Error(ErrorCode::kDenied,
                 Cat(Printable(link_), " is a symbolic link to ", Printable(target_),
                     ", which is outside of ", Printable(root_)))
        .WithHint("links among the sources may not lead out of them: name what is meant itself");
  }

  const std::string& root_;
  std::vector<Step> done_;  // the root first
  std::deque<std::string> left_;
  std::string link_;  // the last one
  std::string target_;
  int links_ = 0;
  bool absolute_ = false;
};

/// A path of the user's own. A link to /proc is nobody's wish: it would show another file, or
/// environment, than the one it was made for.
Result<Found> LookupOwn(const std::string& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) return Fail(SystemError(Printable(path), errno));
  struct statfs system {};
  const bool said = path.starts_with("/proc/") || path.starts_with("/dev/");
  if (!said && statfs(path.c_str(), &system) == 0 && system.f_type == PROC_SUPER_MAGIC) {
    return Fail(ErrorCode::kDenied, Cat(Printable(path), " is a symbolic link into /proc"));
  }
  return Found(Fd(), "", path, status);
}

}  // namespace

Result<Bounds> BoundsOf(const std::string& path, const std::vector<std::string>& trees) {
  std::error_code error;
  const fs::path here = fs::current_path(error);
  if (error) return Fail(SystemError("the working directory", error.value()));
  const fs::path absolute = Normal(here / path);
  const fs::path real_parent = fs::weakly_canonical(absolute.parent_path(), error);
  std::vector<fs::path> roots(trees.begin(), trees.end());
  roots.push_back(here);
  for (const fs::path& root : roots) {
    const fs::path real = fs::weakly_canonical(root, error);
    if (error) continue;
    std::string rest = Below(absolute, Normal(root));
    if (rest.empty()) rest = Below(real_parent / absolute.filename(), real);
    if (!rest.empty()) return Bind(real, rest, absolute);
  }
  if (fs::path(path).is_absolute()) return Bounds{"", absolute.string()};
  const fs::path common = Common(absolute, here);
  return Bind(common, Below(absolute, common), absolute);
}

int Found::directory() const {
  return directory_.valid() ? directory_.get() : AT_FDCWD;
}

bool Found::readable() const {
  const std::string& name = directory_.valid() ? name_ : path_;
  return faccessat(directory(), name.c_str(), R_OK, AT_EACCESS) == 0;
}

Result<Fd> Found::Open() const {
  const bool own = !directory_.valid();
  const std::string& name = own ? path_ : name_;
  Fd fd(openat(directory(), name.c_str(),
               O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | (own ? 0 : O_NOFOLLOW)));
  if (!fd.valid()) return Fail(SystemError(Cat("open ", Printable(path_)), errno));
  return fd;
}

Result<Found> Lookup(const Bounds& bounds) {
  if (bounds.root.empty()) return LookupOwn(bounds.rest);
  Fd root(open(bounds.root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root.valid()) return Fail(SystemError(Printable(bounds.root), errno));
  return Steps(bounds.root, std::move(root)).Take(bounds.rest);
}

Result<Found> LookupTyped(const std::string& path, const std::string& context) {
  std::vector<std::string> trees;
  if (!context.empty()) trees.push_back(context);
  TRY_ASSIGN(const Bounds bounds, BoundsOf(path, trees));
  return Lookup(bounds);
}

Result<std::string> ReadTyped(const std::string& path, std::size_t limit, const Cancel& cancel) {
  TRY_ASSIGN(const Found found, LookupTyped(path, ""));
  TRY_ASSIGN(const Fd file, found.Open());
  return ReadOpenFile(file.get(), Printable(path), limit, cancel);
}

Result<> CheckWithin(const std::string& path) {
  TRY_ASSIGN(const Bounds bounds, BoundsOf(path, {}));
  if (bounds.root.empty()) return {};
  auto found = Lookup(bounds);
  const bool leads_out = !found && !found.error().hint().empty();
  return leads_out ? Fail(std::move(found).error()) : Result<>();
}

Result<std::string> ReadBeneath(const std::string& directory,
                                const std::string& name,
                                std::size_t limit) {
  std::error_code error;
  const fs::path root = fs::canonical(directory, error);
  if (error) return Fail(SystemError(Printable(directory), error.value()));
  TRY_ASSIGN(const Found found, Lookup({root.string(), name}));
  if (!S_ISREG(found.status().st_mode)) {
    return Fail(ErrorCode::kInvalid, Cat(Printable(found.path()), " is not a regular file"));
  }
  TRY_ASSIGN(const Fd file, found.Open());
  return ReadOpenFile(file.get(), Printable(found.path()), limit, Cancel::Never());
}

}  // namespace depot::disk
