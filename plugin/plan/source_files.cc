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

namespace depot::plan {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kArchiveHead = 1024;
constexpr std::size_t kMaxDockerfile = std::size_t{16} << 20;
constexpr std::size_t kMaxNeighbours = 10000;

/// That nothing is there is an answer; that it cannot be looked at (permission, a loop) is an
/// error.
Result<PathKind> KindOf(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) return PathKind::kMissing;
    return Fail(SystemError(Printable(path), errno));
  }
  if (S_ISREG(status.st_mode)) return PathKind::kFile;
  return S_ISDIR(status.st_mode) ? PathKind::kDirectory : PathKind::kOther;
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
    return Fail(ErrorCode::kInvalid, "the Dockerfile is larger than 16 MiB");
  }
  return text;
}

Result<std::string> ReadPath(const std::string& path, const Cancel& cancel) {
  // Non-blocking, so that a fifo without a writer waits in poll, where it can be cancelled.
  Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd.valid()) return Fail(SystemError(Cat("open ", Printable(path)), errno));
  auto text = ReadDockerfile(fd.get(), "", cancel);
  if (!text) return Fail(std::move(text).error().While(Printable(path)));
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

bool IsLink(const std::string& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0 && S_ISLNK(status.st_mode);
}

Result<> InspectDockerfile(const fs::path& path, SourceFacts& facts, const Cancel& cancel) {
  facts.dockerfile_path = path.string();
  TRY_ASSIGN(PathKind parent, KindOf(path.parent_path().string()));
  facts.directory_exists = parent == PathKind::kDirectory;
  TRY_ASSIGN(facts.dockerfile, KindOf(facts.dockerfile_path));
  facts.dockerfile_is_link = IsLink(facts.dockerfile_path);
  if (facts.dockerfile == PathKind::kMissing && path.filename() == "Dockerfile") {
    std::string lower = (path.parent_path() / "dockerfile").string();
    TRY_ASSIGN(PathKind kind, KindOf(lower));
    if (kind == PathKind::kFile) return InspectDockerfile(lower, facts, cancel);
  }
  if (facts.dockerfile == PathKind::kMissing) {
    if (facts.directory_exists) facts.nearest = NearestFile(path);
    return {};
  }
  if (facts.dockerfile == PathKind::kDirectory) return {};
  facts.dockerfile_readable = ::access(facts.dockerfile_path.c_str(), R_OK) == 0;
  bool plain = facts.dockerfile == PathKind::kFile && !facts.dockerfile_is_link;
  if (plain || !facts.dockerfile_readable) return {};
  TRY_ASSIGN(facts.dockerfile_text, ReadPath(facts.dockerfile_path, cancel));
  std::string ignore = facts.dockerfile_path + ".dockerignore";
  TRY_ASSIGN(PathKind kind, KindOf(ignore));
  if (kind == PathKind::kFile) {
    TRY_ASSIGN(facts.ignore_text, ReadPath(ignore, cancel));
  }
  return {};
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
    auto kind = KindOf(options.context);
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
  bool local = facts.context == PathKind::kDirectory;
  bool absolute = fs::path(options.file).is_absolute();
  if (dockerfile_input || (!local && !absolute)) return facts;
  fs::path path =
      options.file.empty() ? fs::path(options.context) / "Dockerfile" : fs::path(options.file);
  path = (here / path).lexically_normal();
  if (!path.has_filename()) path = path.parent_path();
  TRY(InspectDockerfile(path, facts, cancel));
  return facts;
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
  return trees;
}

}  // namespace depot::plan
