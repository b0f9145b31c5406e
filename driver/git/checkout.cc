#include "driver/git/checkout.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <map>

#include <sys/stat.h>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/disk/lookup.h"
#include "driver/git/config.h"

namespace depot::git {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxLine = 4096;
constexpr std::size_t kMaxConfig = 2 << 20;
constexpr std::size_t kMaxPackedRefs = 16 << 20;
constexpr int kMaxSymbolic = 5;

/// Where a checkout keeps what: a worktree shares refs and configuration with others.
struct Folders {
  std::string root;
  std::string own;     ///< HEAD
  std::string common;  ///< refs, packed-refs, config
};

Result<std::string> ReadLine(const std::string& folder, const std::string& name) {
  TRY_ASSIGN(std::string text, disk::ReadBeneath(folder, name, kMaxLine));
  return std::string(Trim(text));
}

/// A path in a file of git's; "" when there is nothing.
std::string Resolve(const fs::path& base, const std::string& path) {
  std::error_code error;
  const fs::path real = fs::canonical(base / path, error);
  return error || path.empty() ? "" : real.string();
}

/// What of the configuration counts here.
struct Config {
  std::map<std::string, std::string> remotes;   ///< the first URL of each
  std::map<std::string, std::string> branches;  ///< the remote of each
  std::string worktree;
};

Result<Config> ReadConfigOf(const std::string& folder) {
  constexpr std::size_t kMaxEntries = 10'000;
  TRY_ASSIGN(const std::string text, disk::ReadBeneath(folder, "config", kMaxConfig));
  Config config;
  auto take = [&](const ConfigVariable& one) {
    const bool room = config.remotes.size() + config.branches.size() < kMaxEntries;
    if (room && one.section == "remote" && one.name == "url") {
      config.remotes.emplace(one.subsection, one.value);
    } else if (room && one.section == "branch" && one.name == "remote") {
      config.branches[one.subsection] = one.value;
    } else if (one.section == "core" && one.name == "worktree") {
      config.worktree = one.value;
    }
  };
  Result<> read = ReadConfig(text, take);
  if (!read) return Fail(std::move(read).error().While(Cat(Printable(folder), "/config")));
  return config;
}

/// Whether the folder that a .git file names is that of a checkout at `root`.
Result<bool> PointsBack(const Folders& folders, bool worktree) {
  if (worktree) {
    TRY_ASSIGN(const std::string back, ReadLine(folders.own, "gitdir"));
    const fs::path above = fs::path(folders.own).parent_path();
    return Resolve(folders.own, back) == folders.root + "/.git" &&
           above == fs::path(folders.common) / "worktrees";
  }
  TRY_ASSIGN(const Config config, ReadConfigOf(folders.own));
  return Resolve(folders.own, config.worktree) == folders.root;
}

Result<Folders> FollowFile(const std::string& root) {
  constexpr std::string_view kPrefix = "gitdir:";
  const std::string shown = Printable(root) + "/.git";
  TRY_ASSIGN(const std::string line, ReadLine(root, ".git"));
  if (!line.starts_with(kPrefix)) {
    return Fail(ErrorCode::kInvalid, Cat(shown, " names no folder"));
  }
  const std::string said(Trim(std::string_view(line).substr(kPrefix.size())));
  Folders folders{root, Resolve(root, said), ""};
  if (folders.own.empty()) {
    return Fail(ErrorCode::kNotFound,
                Cat(shown, " leads to ", Printable(said), ", which is not there"));
  }
  Result<std::string> common = ReadLine(folders.own, "commondir");
  folders.common = common ? Resolve(folders.own, *common) : folders.own;
  Result<bool> back = PointsBack(folders, common.has_value());
  if (back && *back) return folders;
  return Fail(ErrorCode::kDenied, Cat(shown, " leads to ", Printable(said),
                                      ", which is not the repository of this checkout"));
}

/// Nullopt: there is no checkout.
Result<std::optional<Folders>> Find(const std::string& directory) {
  std::error_code error;
  fs::path folder = fs::canonical(directory, error);
  if (error) return Fail(SystemError(Printable(directory), error.value()));
  struct stat begin {};
  struct stat status {};
  if (::stat(folder.c_str(), &begin) != 0) return Fail(SystemError(Printable(directory), errno));
  for (;; folder = folder.parent_path()) {
    // Like git, not beyond where another file system is mounted.
    if (::stat(folder.c_str(), &status) != 0 || status.st_dev != begin.st_dev) break;
    const fs::path place = folder / ".git";
    if (::lstat(place.c_str(), &status) == 0) {
      if (S_ISREG(status.st_mode)) return FollowFile(folder.string());
      if (!S_ISDIR(status.st_mode)) {
        return Fail(ErrorCode::kInvalid,
                    Cat(Printable(place.string()), " is neither a folder nor a file"));
      }
      // A folder that is no repository is passed by.
      if (::lstat((place / "HEAD").c_str(), &status) == 0) {
        return Folders{folder.string(), place.string(), place.string()};
      }
    }
    if (folder == folder.root_path()) break;
  }
  return std::nullopt;
}

bool IsRefName(std::string_view name) {
  auto fits = [](char c) { return static_cast<unsigned char>(c) > ' ' && c != '\x7f'; };
  return name.starts_with("refs/") && name.find("..") == std::string_view::npos &&
         std::all_of(name.begin(), name.end(), fits);
}

/// "" when it is not in the file.
Result<std::string> FindPacked(const std::string& folder, const std::string& name) {
  Result<std::string> text = disk::ReadBeneath(folder, "packed-refs", kMaxPackedRefs);
  if (!text && text.error().code() == ErrorCode::kNotFound) return "";
  if (!text) return Fail(std::move(text).error());
  for (std::string_view rest = *text; !rest.empty();) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    const std::size_t blank = line.find(' ');
    if (blank == std::string_view::npos || Trim(line.substr(blank)) != name) continue;
    if (IsRevision(line.substr(0, blank))) return std::string(line.substr(0, blank));
  }
  return "";
}

/// A ref's or HEAD's content: where it leads to, or a revision.
struct Head {
  std::string ref;
  std::string revision;
};

Result<Head> ParseHead(const std::string& line, std::string_view where) {
  constexpr std::string_view kPrefix = "ref:";
  Head head;
  if (line.starts_with(kPrefix)) {
    head.ref = Trim(std::string_view(line).substr(kPrefix.size()));
    if (IsRefName(head.ref)) return head;
  } else if (IsRevision(line)) {
    head.revision = line;
    return head;
  }
  return Fail(ErrorCode::kInvalid, Cat(where, " names no commit"));
}

/// What HEAD says, and in `branch` the ref that it is first of all.
Result<std::string> ReadRevision(const Folders& folders, std::string& branch) {
  TRY_ASSIGN(const std::string line, ReadLine(folders.own, "HEAD"));
  TRY_ASSIGN(Head head, ParseHead(line, Cat(Printable(folders.own), "/HEAD")));
  branch = head.ref;
  for (int i = 0; i < kMaxSymbolic && !head.ref.empty(); ++i) {
    const std::string name = head.ref;
    if (name == "refs/heads/.invalid") {
      return Fail(ErrorCode::kUnsupported,
                  Cat(Printable(folders.common), " keeps its refs in another form (reftable)"));
    }
    Result<std::string> loose = ReadLine(folders.common, name);
    if (!loose) {
      TRY_ASSIGN(std::string packed, FindPacked(folders.common, name));
      const bool missing = loose.error().code() == ErrorCode::kNotFound;
      if (packed.empty() && !missing) return Fail(std::move(loose).error());
      return packed;
    }
    TRY_ASSIGN(head, ParseHead(*loose, Cat(Printable(folders.common), '/', Printable(name))));
  }
  if (!head.ref.empty()) {
    return Fail(ErrorCode::kInvalid, Cat(Printable(folders.own), "/HEAD leads round in circles"));
  }
  return head.revision;
}

std::string RemoteOf(const Config& config, const std::string& ref) {
  constexpr std::string_view kHeads = "refs/heads/";
  std::vector<std::string> names = {"origin", "upstream"};
  if (ref.starts_with(kHeads)) {
    auto followed = config.branches.find(ref.substr(kHeads.size()));
    if (followed != config.branches.end()) names.insert(names.begin(), followed->second);
  }
  for (const std::string& name : names) {
    auto remote = config.remotes.find(name);
    if (remote == config.remotes.end()) continue;
    std::string url = SourceUrl(remote->second);
    if (!url.empty()) return url;
  }
  return "";
}

}  // namespace

bool IsRevision(std::string_view text) {
  auto hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  return (text.size() == 40 || text.size() == 64) && std::all_of(text.begin(), text.end(), hex);
}

std::string SourceUrl(std::string_view url) {
  constexpr std::size_t kLongest = 2048;
  if (url.size() > kLongest || Printable(url) != url) return "";
  std::string shown = RedactUrls(Trim(url));
  const std::size_t scheme = shown.find("://");
  if (scheme != std::string::npos) {
    const std::size_t host = scheme + 3;
    const std::size_t end = std::min(shown.find_first_of("/?#", host), shown.size());
    const std::size_t at = shown.rfind('@', end);
    if (at != std::string::npos && at >= host) shown.erase(host, at + 1 - host);
    return shown;
  }
  const std::size_t at = shown.rfind('@', shown.find('/'));
  if (at != std::string::npos && shown.find(':') < at) shown.erase(0, at + 1);
  return shown;
}

Result<std::optional<Checkout>> ReadCheckout(const std::string& directory) {
  TRY_ASSIGN(const std::optional<Folders> folders, Find(directory));
  if (!folders) return std::nullopt;
  Checkout checkout;
  checkout.root = folders->root;
  checkout.folder = folders->own;
  checkout.common_folder = folders->common;
  std::string branch;
  TRY_ASSIGN(checkout.revision, ReadRevision(*folders, branch));
  Result<Config> config = ReadConfigOf(folders->common);
  if (!config && config.error().code() != ErrorCode::kNotFound) {
    return Fail(std::move(config).error());
  }
  if (config) checkout.remote = RemoteOf(*config, branch);
  return checkout;
}

}  // namespace depot::git
