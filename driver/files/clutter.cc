#include "driver/files/clutter.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "driver/base/shown.h"
#include "driver/base/text.h"

namespace depot::files {
namespace {

constexpr std::string_view kClutterNames[] = {
    ".git",        ".hg",   ".svn",        "node_modules", ".venv",       "venv",
    ".tox",        ".nox",  "__pycache__", ".mypy_cache",  ".gradle",     ".terraform",
    ".pnpm-store", ".yarn", ".nuget",      ".bundle",      ".stack-work", ".dart_tool",
};
constexpr std::string_view kTag = "CACHEDIR.TAG";
constexpr std::size_t kMostFolders = 10'000;
constexpr std::size_t kMostNamed = 3;

}  // namespace

void Clutter::Enter(std::string_view folder) {
  if (folders_.size() < kMostFolders) current_ = &*folders_.try_emplace(Cat(folder, '/')).first;
}

void Clutter::See(const FileEntry& entry) {
  const std::string_view path = entry.path;
  if (current_ != nullptr && path.starts_with(current_->first)) {
    if (HasContent(entry)) current_->second += static_cast<std::uint64_t>(entry.size);
    return;
  }
  const std::size_t slash = path.rfind('/');
  const std::string_view name = slash == std::string_view::npos ? path : path.substr(slash + 1);
  if (S_ISDIR(entry.mode)) {
    const auto* known = std::find(std::begin(kClutterNames), std::end(kClutterNames), name);
    if (known != std::end(kClutterNames)) Enter(path);
  } else if (name == kTag && slash != std::string_view::npos) {
    Enter(path.substr(0, slash));
  }
}

std::uint64_t Clutter::bytes() const {
  std::uint64_t all = 0;
  for (const auto& [folder, bytes] : folders_)
    all += bytes;
  return all;
}

std::string Clutter::Names() const {
  std::vector<std::pair<std::uint64_t, std::string_view>> largest;
  for (const auto& [folder, bytes] : folders_)
    largest.emplace_back(bytes, std::string_view(folder).substr(0, folder.size() - 1));
  std::stable_sort(largest.begin(), largest.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  std::string text;
  const std::size_t named = std::min(largest.size(), kMostNamed);
  for (std::size_t i = 0; i < named; ++i) {
    text += Cat(i == 0                    ? ""
                : i + 1 == largest.size() ? " and "
                                          : ", ",
                Printable(largest[i].second));
  }
  return largest.size() > named ? text + " and others" : text;
}

}  // namespace depot::files
