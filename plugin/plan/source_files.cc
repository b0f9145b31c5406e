#include "plugin/plan/source_files.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/disk/lookup.h"
#include "plugin/plan/git_url.h"

namespace depot::plan {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kArchiveHead = 1024;
constexpr std::size_t kMaxDockerfile = std::size_t{16} << 20;
constexpr std::string_view kTooLarge = "is larger than 16 MiB";
constexpr std::size_t kMaxNeighbours = 10000;

/// nullopt when nothing is there; that it cannot be looked at (permission, a loop) is an error.
Result<std::optional<disk::Found>> FindWithin(const disk::Bounds& bounds) {
  auto found = disk::Lookup(bounds);
  if (found) return std::optional(*std::move(found));
  if (found.error().code() == ErrorCode::kNotFound) return std::nullopt;
  return Fail(std::move(found).error());
}

PathKind KindOf(const std::optional<disk::Found>& found) {
  if (!found) return PathKind::kMissing;
  if (S_ISREG(found->status().st_mode)) return PathKind::kFile;
  return S_ISDIR(found->status().st_mode) ? PathKind::kDirectory : PathKind::kOther;
}

Result<PathKind> KindOfContext(const std::string& path) {
  TRY_ASSIGN(disk::Bounds bounds, disk::BoundsOf(path, {}));
  TRY_ASSIGN(auto found, FindWithin(bounds));
  return KindOf(found);
}

/// Appends to `text` until it has `limit` bytes or the input ends.
Result<> ReadUpTo(int fd, std::size_t limit, std::string& text, const Cancel& cancel) {
  char buffer[16384];
  while (text.size() < limit) {
    TRY(WaitForFd(fd, POLLIN, cancel));
    ssize_t count = ::read(fd, buffer, std::min(sizeof buffer, limit - text.size()));
    if (count == 0) break;
    if (count > 0) {
      text.append(buffer, static_cast<std::size_t>(count));
    } else if (errno != EINTR && errno != EAGAIN) {
      return Fail(SystemError("read", errno));
    }
  }
  return {};
}

Result<std::string> ReadDockerfile(int fd, std::string text, const Cancel& cancel) {
  TRY(ReadUpTo(fd, kMaxDockerfile + 1, text, cancel));
  if (text.size() > kMaxDockerfile) {
    return Fail(ErrorCode::kInvalid, Cat("the Dockerfile ", kTooLarge));
  }
  return text;
}

Result<std::string> ReadFound(const disk::Found& found, const Cancel& cancel) {
  // A pipe without a writer waits in poll, where it can be cancelled.
  TRY_ASSIGN(Fd fd, found.Open());
  auto text = ReadDockerfile(fd.get(), "", cancel);
  if (!text) return Fail(std::move(text).error().While(Printable(found.path())));
  return text;
}

Result<std::string> ReadStandardInput(bool is_context, int fd, const Cancel& cancel) {
  std::string text;
  if (is_context) {
    TRY(ReadUpTo(fd, kArchiveHead, text, cancel));
    if (IsArchive(text)) return text;
  }
  return ReadDockerfile(fd, std::move(text), cancel);
}

/// The file beside a missing Dockerfile that was probably meant.
std::string NearestFile(const fs::path& missing) {
  std::vector<std::string> names;
  std::error_code error;
  fs::directory_iterator entries(missing.parent_path(), error);
  for (; !error && entries != fs::directory_iterator() && names.size() < kMaxNeighbours;
       entries.increment(error)) {
    std::error_code ignored;
    if (entries->is_regular_file(ignored)) names.push_back(entries->path().filename().string());
  }
  std::sort(names.begin(), names.end());
  std::vector<std::string_view> views(names.begin(), names.end());
  std::string_view near = Nearest(missing.filename().string(), views);
  if (!near.empty()) return std::string(near);
  auto usual = std::find_if(names.begin(), names.end(), [](const std::string& name) {
    std::string lower = LowerAscii(name);
    return lower.find("dockerfile") != std::string::npos ||
           lower.find("containerfile") != std::string::npos;
  });
  bool ignore_file = usual != names.end() && usual->ends_with(".dockerignore");
  return usual == names.end() || ignore_file ? "" : *usual;
}

fs::path FullPath(const disk::Bounds& bounds) {
  return fs::path(bounds.root) / bounds.rest;
}

bool IsLink(const disk::Bounds& bounds) {
  struct stat status {};
  return ::lstat(FullPath(bounds).c_str(), &status) == 0 && S_ISLNK(status.st_mode);
}

disk::Bounds Beside(const disk::Bounds& bounds, const std::string& name) {
  return {bounds.root, (fs::path(bounds.rest).parent_path() / name).string()};
}

/// An ignore file, or nullopt when there is none. One that the builder could not have would count
/// as none there, and what it keeps away would be sent: it is an error. A directory of that name,
/// which keeps nothing away, is said in `notices`.
Result<std::optional<disk::Found>> FindIgnoreFile(const disk::Bounds& bounds,
                                                  std::vector<std::string>& notices) {
  const auto bad = [&](std::string_view why) {
    return Fail(Error(ErrorCode::kInvalid,
                      Cat("the ignore file ", Printable(FullPath(bounds).string()), ' ', why))
                    .WithHint("without it all files would be sent: mend it, or remove it"));
  };
  auto found = FindWithin(bounds);
  if (!found && !found.error().hint().empty()) {
    return Fail(
        std::move(found)
            .error()
            .While("ignore file")
            .WithHint("without it all files would be sent: put a copy in its place, or remove it"));
  }
  if (!found) return bad(Cat("cannot be looked at: ", found.error().message()));
  if (!*found && IsLink(bounds)) return bad("is a symbolic link to a file that does not exist");
  if (!*found) return std::nullopt;
  const struct stat& status = (*found)->status();
  if (S_ISDIR(status.st_mode)) {
    notices.push_back(Cat(Printable(FullPath(bounds).string()),
                          " is a directory, so no ignore file: it keeps nothing away"));
    return std::nullopt;
  }
  if (!S_ISREG(status.st_mode)) return bad("is not a regular file");
  if (!(*found)->readable()) return bad("cannot be read: permission denied");
  if (static_cast<std::uint64_t>(status.st_size) > kMaxDockerfile) return bad(kTooLarge);
  return found;
}

/// The Dockerfile, and where links may lead from it.
struct Looked {
  disk::Bounds bounds;
  bool named = false;  ///< by the user, with -f
};

/// Whether a Dockerfile is of a kind that is read: what came with the sources must be a file, what
/// the user named may be a pipe, and outside of the sources anything.
Result<> CheckKind(const Looked& looked, const disk::Found& found) {
  const mode_t mode = found.status().st_mode;
  if (S_ISREG(mode) || looked.bounds.root.empty()) return {};
  if (S_ISFIFO(mode) && looked.named) return {};
  const std::string path = Printable(FullPath(looked.bounds).string());
  if (S_ISFIFO(mode)) {
    return Fail(Error(ErrorCode::kInvalid, Cat("the Dockerfile ", path, " is a pipe"))
                    .WithHint("a pipe is read when it is named: -f FILE"));
  }
  return Fail(Error(ErrorCode::kInvalid, Cat("the Dockerfile ", path, " is a device or socket"))
                  .WithHint("name a file with -f"));
}

Result<> NoteMissing(const Looked& looked, SourceFacts& facts) {
  const fs::path path = FullPath(looked.bounds);
  std::error_code ignored;
  facts.directory_exists = fs::is_directory(path.parent_path(), ignored);
  if (facts.directory_exists) facts.nearest = NearestFile(path);
  return {};
}

Result<> InspectDockerfile(Looked looked, SourceFacts& facts, const Cancel& cancel) {
  TRY_ASSIGN(auto found, FindWithin(looked.bounds));
  const fs::path path = FullPath(looked.bounds);
  if (!found && path.filename() == "Dockerfile") {
    Looked lower{Beside(looked.bounds, "dockerfile"), looked.named};
    TRY_ASSIGN(found, FindWithin(lower.bounds));
    if (KindOf(found) == PathKind::kFile) {
      looked = std::move(lower);
    } else {
      found.reset();
    }
  }
  facts.dockerfile_path = FullPath(looked.bounds).string();
  facts.dockerfile = KindOf(found);
  facts.dockerfile_is_link = IsLink(looked.bounds);
  if (!found) return NoteMissing(looked, facts);
  if (facts.dockerfile == PathKind::kDirectory) {
    facts.inside = NearestFile(path / "Dockerfile");
    facts.nearest = NearestFile(path);
    return {};
  }
  TRY(CheckKind(looked, *found));
  facts.dockerfile_readable = found->readable();
  if (!facts.dockerfile_readable) return {};
  const disk::Bounds beside = Beside(
      looked.bounds, Cat(fs::path(facts.dockerfile_path).filename().string(), ".dockerignore"));
  TRY_ASSIGN(auto ignore, FindIgnoreFile(beside, facts.notices));
  facts.has_own_ignore_file = ignore.has_value();
  const bool plain = facts.dockerfile == PathKind::kFile && !facts.dockerfile_is_link;
  if (plain && !IsLink(beside)) return {};
  TRY_ASSIGN(facts.dockerfile_text, ReadFound(*found, cancel));
  if (ignore) {
    TRY_ASSIGN(facts.ignore_text, ReadFound(*ignore, cancel));
  }
  return {};
}

/// That of the context, which the builder reads from it.
Result<> CheckIgnoreFile(const std::string& context, std::vector<std::string>& notices) {
  std::error_code error;
  const fs::path root = fs::canonical(context, error);
  if (error) return Fail(SystemError(Printable(context), error.value()));
  TRY_ASSIGN(auto found, FindIgnoreFile({root.string(), ".dockerignore"}, notices));
  if (!found || !found->by_absolute_link()) return {};
  // The context is the builder's root directory.
  return Fail(Error(ErrorCode::kInvalid,
                    Cat("the ignore file ", Printable((root / ".dockerignore").string()),
                        " is a symbolic link to an absolute path"))
                  .WithHint("without it all files would be sent: make the link relative"));
}

}  // namespace

Result<SourceFacts> InspectSource(const options::BuildOptions& options,
                                  int standard_input,
                                  const Cancel& cancel) {
  SourceFacts facts;
  std::error_code error;
  fs::path here = fs::current_path(error);
  if (error) return Fail(SystemError("the working directory", error.value()));
  facts.working_directory = here.string();
  bool context_input = options.context == "-";
  bool dockerfile_input = options.file == "-";
  if (!context_input && !options.context.empty()) {
    auto kind = KindOfContext(options.context);
    // A URL need not be a possible file name.
    if (!kind && !IsRemoteContext(options.context)) {
      return Fail(std::move(kind).error().While("build context"));
    }
    facts.context = kind.value_or(PathKind::kMissing);
  }

  if (context_input != dockerfile_input) {
    auto text = ReadStandardInput(context_input, standard_input, cancel);
    if (!text) return Fail(std::move(text).error().While("standard input"));
    facts.standard_input = *std::move(text);
  }
  const bool local = facts.context == PathKind::kDirectory;
  const bool absolute = fs::path(options.file).is_absolute();
  const bool elsewhere = dockerfile_input || IsHttpUrl(options.file) || options.dockerfile_inline;
  if (!elsewhere && (local || absolute)) {
    const bool named = !options.file.empty();
    const fs::path path = named ? fs::path(options.file) : fs::path(options.context) / "Dockerfile";
    std::vector<std::string> trees;
    if (local) trees.push_back((here / options.context).string());
    TRY_ASSIGN(disk::Bounds bounds, disk::BoundsOf(path.string(), trees));
    TRY(InspectDockerfile({std::move(bounds), named}, facts, cancel));
  }
  if (local && !facts.has_own_ignore_file) TRY(CheckIgnoreFile(options.context, facts.notices));
  return facts;
}

Result<> CheckContextDirectory(const std::string& path, std::vector<std::string>& notices) {
  TRY_ASSIGN(const PathKind kind, KindOfContext(path));
  if (kind == PathKind::kMissing) {
    return Fail(
        Error(ErrorCode::kNotFound, Cat("the directory ", Printable(path), " does not exist"))
            .WithHint("give a directory, a URL, docker-image://NAME or "
                      "oci-layout://PATH"));
  }
  if (kind != PathKind::kDirectory) {
    return Fail(ErrorCode::kInvalid, Cat(Printable(path), " is not a directory"));
  }
  return CheckIgnoreFile(path, notices);
}

Result<> CheckPipes(const options::BuildOptions& options,
                    const std::vector<session::SecretSpec>& secrets,
                    int standard_input) {
  std::map<std::pair<dev_t, ino_t>, std::string> uses;
  const auto use = [&](const struct stat& status, const std::string& what) -> Result<> {
    if (!S_ISFIFO(status.st_mode) && !S_ISSOCK(status.st_mode)) return {};
    const auto [first, fresh] = uses.try_emplace({status.st_dev, status.st_ino}, what);
    if (fresh || first->second == what) return {};
    return Fail(Error(ErrorCode::kUsage, Cat("one pipe is both ", first->second, " and ", what))
                    .WithHint("what it gives can be read once: store it in a file"));
  };
  struct stat status {};
  const bool input = options.context == "-" || options.file == "-";
  if (input && ::fstat(standard_input, &status) == 0) {
    TRY(use(status, options.file == "-" ? "the Dockerfile" : "the build context"));
  }
  const bool named = !options.file.empty() && options.file != "-";
  if (named && ::stat(options.file.c_str(), &status) == 0) TRY(use(status, "the Dockerfile"));
  for (const session::SecretSpec& secret : secrets) {
    if (!secret.value && ::stat(secret.file.c_str(), &status) == 0) TRY(use(status, "a secret"));
  }
  return {};
}

Result<std::map<std::string, std::unique_ptr<files::FileTree>>> OpenTrees(const Source& source) {
  std::map<std::string, std::unique_ptr<files::FileTree>> trees;
  for (const auto& [name, tree] : source.trees) {
    if (tree.directory.empty()) {
      trees[name] = files::MakeMemoryTree(tree.files);
      continue;
    }
    auto opened = files::OpenDirectoryTree(tree.directory);
    if (!opened) return Fail(std::move(opened).error().While(Cat("build ", name)));
    trees[name] = *std::move(opened);
  }
  for (const auto& [name, directory] : source.named.directories) {
    auto opened = files::OpenDirectoryTree(directory);
    if (!opened) return Fail(std::move(opened).error().While(Cat("--build-context ", name)));
    trees[name] = *std::move(opened);
  }
  return trees;
}

}  // namespace depot::plan
