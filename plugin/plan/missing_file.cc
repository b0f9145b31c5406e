#include "plugin/plan/missing_file.h"

#include <algorithm>
#include <filesystem>
#include <vector>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/files/patterns.h"
#include "plugin/plan/ignore_file.h"

namespace depot::plan {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostBeside = 1000;

/// The name in `folder` that `wanted` may mean: itself, in another case, or with a typing error.
std::string NameIn(const fs::path& folder, const std::string& wanted) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end;
       !error && at != end && names.size() < kMostBeside; at.increment(error)) {
    names.push_back(at->path().filename().string());
  }
  const auto fits = [&](const auto& same) {
    const auto found = std::find_if(names.begin(), names.end(), same);
    return found == names.end() ? std::string() : *found;
  };
  std::string name = fits([&](const std::string& one) { return one == wanted; });
  if (name.empty()) {
    name = fits([&](const std::string& one) { return LowerAscii(one) == LowerAscii(wanted); });
  }
  return name.empty() ? std::string(Nearest(wanted, {names.begin(), names.end()})) : name;
}

/// The path below `root` that `missing` may mean, any of its folders included; "" = none.
std::string MeantPath(const fs::path& root, const std::string& missing) {
  fs::path meant;
  for (const fs::path& part : fs::path(missing)) {
    const std::string name = NameIn(root / meant, part.string());
    if (name.empty()) return "";
    meant /= name;
  }
  return meant.string();
}

}  // namespace

std::string WhyMissing(std::string_view path,
                       const Source& source,
                       const std::map<std::string, std::unique_ptr<files::FileTree>>& trees) {
  auto context = source.trees.find("context");
  if (context == source.trees.end() || context->second.directory.empty()) return "";
  const std::string clean = CleanPath(Cat('/', path)).substr(1);
  if (clean.empty()) return "";
  const IgnoreFile ignore = IgnoreFileInForce(source, trees);
  const IgnoreRule* rule = DecidingRule(ignore, clean);
  if (rule != nullptr && !rule->pattern.starts_with('!')) {
    return Cat("line ", rule->line, " of ", Printable(ignore.name),
               " excludes it: ", Printable(rule->pattern), "; add a line below it: !",
               Printable(clean));
  }
  const fs::path whole = fs::path(context->second.directory) / clean;
  std::error_code error;
  if (fs::symlink_status(whole, error).type() != fs::file_type::not_found) return "";
  const std::string why = Cat("there is no ", Printable(clean), " in the build context ",
                              Printable(context->second.directory));
  const std::string meant = MeantPath(context->second.directory, clean);
  return meant.empty() ? why : Cat(why, "; did you mean ", Printable(meant), "?");
}

std::string WhichPatternIsMalformed(
    const Source& source, const std::map<std::string, std::unique_ptr<files::FileTree>>& trees) {
  const IgnoreFile ignore = IgnoreFileInForce(source, trees);
  for (const IgnoreRule& rule : ignore.rules) {
    if (files::PatternSet::Compile({rule.pattern})) continue;
    return Cat("line ", rule.line, " of ", Printable(ignore.name), ": ", Printable(rule.pattern),
               "; a \\ in front of a character takes it as it is");
  }
  return "";
}

}  // namespace depot::plan
