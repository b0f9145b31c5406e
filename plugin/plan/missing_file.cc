#include "plugin/plan/missing_file.h"

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

/// Another name beside it that may be meant.
std::string Neighbour(const fs::path& missing) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator at(missing.parent_path(), error), end;
       !error && at != end && names.size() < kMostBeside; at.increment(error)) {
    names.push_back(at->path().filename().string());
  }
  const std::string wanted = missing.filename().string();
  for (const std::string& name : names) {
    if (LowerAscii(name) == LowerAscii(wanted)) return name;
  }
  return std::string(Nearest(wanted, {names.begin(), names.end()}));
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
  std::string why = Cat("there is no ", Printable(clean), " in the build context ",
                        Printable(context->second.directory));
  const std::string near = Neighbour(whole);
  if (!near.empty()) {
    why += Cat("; did you mean ",
               Printable((fs::path(clean).parent_path() / near).lexically_normal().string()), "?");
  }
  return why;
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
