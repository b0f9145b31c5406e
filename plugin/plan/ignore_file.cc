#include "plugin/plan/ignore_file.h"

#include <utility>

#include "driver/base/text.h"
#include "driver/disk/read_file.h"
#include "driver/files/patterns.h"

namespace depot::plan {
namespace {

constexpr std::size_t kMaxIgnoreFile = 16 << 20;

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
        {"context", ".dockerignore"}}) {
    auto found = trees.find(tree);
    if (found == trees.end()) continue;
    Result<Fd> file = found->second->Open(name);
    if (!file) continue;
    Result<std::string> text =
        disk::ReadOpenFile(file->get(), name, kMaxIgnoreFile, Cancel::Never());
    return {name, text ? RulesOf(*text) : std::vector<IgnoreRule>()};
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
