#include "plugin/plan/ignore_file.h"

#include <filesystem>
#include <utility>

#include "driver/base/text.h"
#include "driver/disk/lookup.h"
#include "driver/disk/read_file.h"
#include "driver/files/patterns.h"

namespace depot::plan {
namespace {

constexpr std::size_t kMaxIgnoreFile = 16 << 20;
constexpr std::string_view kContextsIgnoreFile = ".dockerignore";

/// Comments and blank lines go, paths begin at the root anyway.
std::vector<IgnoreRule> RulesOf(std::string_view text) {
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  std::vector<IgnoreRule> rules;
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
  return rules;
}

/// With the links that a builder follows too. kNotFound: there is none.
Result<std::string> ReadIgnoreFile(
    const Source& source,
    const std::map<std::string, std::unique_ptr<files::FileTree>>& trees,
    const std::string& tree,
    const std::string& name) {
  auto known = source.trees.find(tree);
  if (known != source.trees.end() && !known->second.directory.empty()) {
    std::error_code error;
    const std::string real = std::filesystem::canonical(known->second.directory, error).string();
    if (error) return Fail(SystemError(known->second.directory, error.value()));
    if (std::filesystem::is_directory(std::filesystem::path(real) / name, error)) {
      return Fail(ErrorCode::kNotFound, "a directory is no ignore file");
    }
    return disk::ReadBeneath(real, name, kMaxIgnoreFile);
  }
  auto found = trees.find(tree);
  if (found == trees.end()) return Fail(ErrorCode::kNotFound, "there is no such tree");
  TRY_ASSIGN(Fd file, found->second->Open(name));
  return disk::ReadOpenFile(file.get(), name, kMaxIgnoreFile, Cancel::Never());
}

bool Fits(const IgnoreRule& rule, std::string_view path) {
  std::string bare = rule.pattern.starts_with('!') ? rule.pattern.substr(1) : rule.pattern;
  const Result<files::PatternSet> set = files::PatternSet::Compile({std::move(bare)});
  return set && set->Matches(path);
}

}  // namespace

std::vector<std::string> IgnoreFile::patterns() const {
  std::vector<std::string> all;
  all.reserve(rules.size());
  for (const IgnoreRule& rule : rules)
    all.push_back(rule.pattern);
  return all;
}

IgnoreFile IgnoreFileInForce(const Source& source,
                             const std::map<std::string, std::unique_ptr<files::FileTree>>& trees) {
  for (const auto& [tree, name] :
       {std::pair<std::string, std::string>("dockerfile", Cat(source.filename, ".dockerignore")),
        {"context", std::string(kContextsIgnoreFile)}}) {
    Result<std::string> text = ReadIgnoreFile(source, trees, tree, name);
    if (!text && text.error().code() == ErrorCode::kNotFound) continue;
    if (!text) return {name, "", false, {}};
    std::vector<IgnoreRule> rules = RulesOf(*text);
    return {name, *std::move(text), true, std::move(rules)};
  }
  return {};
}

const IgnoreRule* DecidingRule(const IgnoreFile& file, std::string_view path) {
  for (std::size_t at = file.rules.size(); at > 0; --at) {
    if (Fits(file.rules[at - 1], path)) return &file.rules[at - 1];
  }
  return nullptr;
}

}  // namespace depot::plan
