#include "plugin/plan/missing_file.h"

#include <filesystem>
#include <vector>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/disk/read_file.h"
#include "driver/files/patterns.h"

namespace depot::plan {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxIgnoreFile = 1 << 20;
/// Each line is tried with those before it.
constexpr std::size_t kMaxRules = 1000;
constexpr std::size_t kMostBeside = 1000;

/// A line of an ignore file.
struct Rule {
  std::size_t line = 0;  ///< counted from 1
  std::string pattern;
};

struct IgnoreFile {
  std::string name;
  std::vector<Rule> rules;
};

/// moby/patternmatcher ignorefile: comments and blank lines go, paths begin at the root anyway.
std::vector<Rule> RulesOf(std::string_view text) {
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  std::vector<Rule> rules;
  std::size_t number = 0;
  for (std::string_view line : Split(text, '\n')) {
    ++number;
    if (line.starts_with('#')) continue;
    std::string_view pattern = Trim(line);
    const bool exception = pattern.starts_with('!');
    if (exception) pattern = Trim(pattern.substr(1));
    if (pattern.starts_with('/')) pattern.remove_prefix(1);
    if (!pattern.empty()) rules.push_back({number, Cat(exception ? "!" : "", pattern)});
  }
  if (rules.size() > kMaxRules) rules.clear();
  return rules;
}

IgnoreFile RulesFor(const Source& source,
                    const std::map<std::string, std::unique_ptr<files::FileTree>>& trees) {
  for (const auto& [tree, name] :
       {std::pair<std::string, std::string>("dockerfile", Cat(source.filename, ".dockerignore")),
        {"context", ".dockerignore"}}) {
    auto found = trees.find(tree);
    if (found == trees.end()) continue;
    Result<Fd> file = found->second->Open(name);
    if (!file) continue;
    Result<std::string> text =
        disk::ReadOpenFile(file->get(), name, kMaxIgnoreFile, Cancel::Never());
    return {name, text ? RulesOf(*text) : std::vector<Rule>()};
  }
  return {};
}

/// The rule by which `path` is excluded in the end; nullptr = it is not.
const Rule* Excluding(const IgnoreFile& file, const std::string& path) {
  std::vector<std::string> patterns;
  const Rule* deciding = nullptr;
  for (const Rule& rule : file.rules) {
    patterns.push_back(rule.pattern);
    Result<files::PatternSet> set = files::PatternSet::Compile(patterns);
    if (!set) return nullptr;
    const bool excluded = set->Matches(path);
    if (!excluded) deciding = nullptr;
    if (excluded && deciding == nullptr) deciding = &rule;
  }
  return deciding;
}

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
  const std::string clean = files::CleanPath(Cat('/', path)).substr(1);
  if (clean.empty()) return "";
  const IgnoreFile ignore = RulesFor(source, trees);
  if (const Rule* rule = Excluding(ignore, clean)) {
    return Cat("line ", rule->line, " of ", Printable(ignore.name),
               " excludes it: ", Printable(rule->pattern), "; a line below it lets it in: !",
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
  const IgnoreFile ignore = RulesFor(source, trees);
  for (const Rule& rule : ignore.rules) {
    if (files::PatternSet::Compile({rule.pattern})) continue;
    return Cat("line ", rule.line, " of ", Printable(ignore.name), ": ", Printable(rule.pattern),
               "; a \\ in front of a character takes it as it is");
  }
  return "";
}

}  // namespace depot::plan
