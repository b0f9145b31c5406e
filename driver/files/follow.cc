#include "driver/files/follow.h"

#include <cerrno>
#include <climits>
#include <deque>
#include <set>

#include <fcntl.h>
#include <unistd.h>

#include "driver/base/fd.h"
#include "driver/base/text.h"
#include "driver/disk/directory_listing.h"
#include "driver/files/denied.h"
#include "driver/files/glob.h"

namespace depot::files {
namespace {

constexpr std::string_view kSpecial = "*?[]\\";
constexpr int kMaxLinks = 40;  // what Linux itself follows in one path

/// A path on its way through the tree, in the syntax of patterns.
struct Route {
  std::vector<std::string> parts;
  int links = 0;  // symlinks followed so far
};

bool HasWildcard(std::string_view part) {
  for (std::size_t i = 0; i < part.size(); ++i) {
    if (part[i] == '\\') {
      ++i;
    } else if (part[i] == '*' || part[i] == '?' || part[i] == '[') {
      return true;
    }
  }
  return false;
}

std::string Unescape(std::string_view part) {
  std::string plain;
  for (std::size_t i = 0; i < part.size(); ++i) {
    if (part[i] == '\\' && i + 1 < part.size()) ++i;
    plain.push_back(part[i]);
  }
  return plain;
}

std::string Escape(std::string_view name) {
  std::string pattern;
  for (const char c : name) {
    if (kSpecial.find(c) != std::string_view::npos) pattern.push_back('\\');
    pattern.push_back(c);
  }
  return pattern;
}

/// The same pattern, safe from being read as an exception or being trimmed.
std::string AsPatternLine(const std::string& pattern) {
  constexpr std::string_view kSpace = " \t\n\v\f\r";
  const bool first = pattern.front() == '!' || kSpace.find(pattern.front()) < kSpace.size();
  const bool last = kSpace.find(pattern.back()) < kSpace.size();
  const std::string_view body(pattern.data(), pattern.size() - (last ? 1 : 0));
  std::string line = Cat(first && !body.empty() ? "\\" : "", body);
  if (last) line += Cat('[', pattern.back(), ']');
  return line;
}

/// The cleaned parts of a path that starts at the root, wherever its text says.
std::vector<std::string> PartsOf(std::string_view path) {
  const std::string clean = CleanPath(Cat('/', path));
  std::vector<std::string> parts;
  for (const std::string_view part : Split(std::string_view(clean).substr(1), '/')) {
    if (!part.empty()) parts.emplace_back(part);
  }
  return parts;
}

bool IsMissing(int error) {
  return error == ENOENT || error == ENOTDIR || error == ELOOP;
}

class Resolver {
 public:
  Resolver(int root, const Cancel& cancel) : root_(root), cancel_(cancel) {}

  Result<std::vector<std::string>> Resolve(const std::vector<std::string>& paths) {
    for (const std::string& path : paths)
      Enqueue({PartsOf(path), 0});
    while (!queue_.empty()) {
      TRY(cancel_.Check());
      const Route route = std::move(queue_.front());
      queue_.pop_front();
      TRY(Walk(route));
    }
    return std::vector<std::string>(found_.begin(), found_.end());
  }

 private:
  /// A route that was taken before leads nowhere new.
  void Enqueue(Route route) {
    if (seen_.insert(Join(route.parts, "/")).second) queue_.push_back(std::move(route));
  }

  Result<> Walk(const Route& route) {
    Fd below;
    int directory = root_;
    for (std::size_t i = 0; i < route.parts.size(); ++i) {
      const std::string& part = route.parts[i];
      const bool wildcard = HasWildcard(part);
      std::vector<std::string> targets;
      int error = 0;
      if (wildcard) {
        error = LinksMatching(directory, part, targets);
      } else {
        error = LinkTarget(directory, Unescape(part), targets);
      }
      if (error != 0 && !IsMissing(error)) return Unreadable(route, i, error);
      if (!targets.empty()) {
        Follow(route, i, targets);
        return {};
      }
      // Below a wildcard, or what does not exist, nothing can be looked up.
      if (error != 0 || wildcard || i + 1 == route.parts.size()) break;
      below.Reset(
          openat(directory, Unescape(part).c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
      if (!below.valid()) break;
      directory = below.get();
    }
    found_.insert(route.parts.empty() ? "." : AsPatternLine(Join(route.parts, "/")));
    return {};
  }

  void Follow(const Route& route, std::size_t at, const std::vector<std::string>& targets) {
    const auto here = route.parts.begin() + static_cast<std::ptrdiff_t>(at);
    found_.insert(
        AsPatternLine(Join(std::vector<std::string>(route.parts.begin(), here + 1), "/")));
    if (route.links == kMaxLinks) return;
    std::string parent;
    for (auto part = route.parts.begin(); part != here; ++part)
      parent += Unescape(*part) + "/";
    for (const std::string& target : targets) {
      Route next{{}, route.links + 1};
      for (const std::string& part : PartsOf(target[0] == '/' ? target : parent + target)) {
        next.parts.push_back(Escape(part));
      }
      next.parts.insert(next.parts.end(), here + 1, route.parts.end());
      Enqueue(std::move(next));
    }
  }

  /// 0 with the target of the symlink `name`, or without one when it is something else; the errno.
  static int LinkTarget(int directory, const std::string& name, std::vector<std::string>& targets) {
    char target[PATH_MAX];
    const ssize_t length = readlinkat(directory, name.c_str(), target, sizeof target);
    if (length > 0) targets.emplace_back(target, static_cast<std::size_t>(length));
    return length < 0 && errno != EINVAL ? errno : 0;
  }

  int LinksMatching(int directory, const std::string& part, std::vector<std::string>& targets) {
    const auto glob = Glob::Compile(part);
    if (!glob) return 0;  // named when the include patterns are compiled
    const Fd readable(openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!readable.valid()) return errno;
    const int error = listing_.Read(readable.get());
    if (error != 0) return error;
    for (const disk::DirectoryListing::Name& name : listing_.names()) {
      if (!glob->MatchesName({name.text, name.length})) continue;
      const int unread = LinkTarget(directory, name.text, targets);
      if (unread != 0 && !IsMissing(unread)) return unread;
    }
    return 0;
  }

  static Result<> Unreadable(const Route& route, std::size_t at, int error) {
    const auto end = route.parts.begin() + static_cast<std::ptrdiff_t>(at) + 1;
    const std::string path = Join(std::vector<std::string>(route.parts.begin(), end), "/");
    return Fail(LookError("look up", path, error, ": the build asks for what is in it"));
  }

  int root_;
  const Cancel& cancel_;
  std::deque<Route> queue_;
  std::set<std::string> seen_;
  std::set<std::string> found_;
  disk::DirectoryListing listing_;
};

}  // namespace

Result<std::vector<std::string>> ResolveFollowPaths(int root,
                                                    const std::vector<std::string>& paths,
                                                    const Cancel& cancel) {
  return Resolver(root, cancel).Resolve(paths);
}

}  // namespace depot::files
