#include "plugin/plan/dockerfile_text.h"

#include <algorithm>

#include "driver/base/text.h"
#include "driver/disk/read_file.h"
#include "driver/files/patterns.h"
#include "plugin/plan/dockerfile_names.h"
#include "plugin/plan/ignore_file.h"

namespace depot::plan {
namespace {

/// Of both together. A build's calls have them up to three times, and what a builder says of an
/// error twice, where a session sends nothing of what is there already.
constexpr std::size_t kMostInCall = 16 << 10;
/// What the builder reads as one line of an ignore file (Go's bufio.Scanner).
constexpr std::size_t kLongestRule = 64 << 10;

constexpr std::string_view kContextsOwn = ".dockerignore";

bool InOrder(const IgnoreFile& file) {
  const std::vector<std::string_view> lines = Split(file.text, '\n');
  const bool short_lines = std::all_of(
      lines.begin(), lines.end(), [](std::string_view line) { return line.size() < kLongestRule; });
  return file.readable && short_lines && files::PatternSet::Compile(file.patterns()).has_value();
}

}  // namespace

std::optional<solve::DockerfileText> ReadDockerfileText(
    const Source& source, const std::map<std::string, std::unique_ptr<files::FileTree>>& trees) {
  auto tree = trees.find("dockerfile");
  if (tree == trees.end() || !source.trees.contains("context")) return std::nullopt;
  Result<Fd> file = tree->second->Open(source.filename);
  if (!file) return std::nullopt;
  auto text = disk::ReadOpenFile(file->get(), source.filename, kMostInCall, Cancel::Never());
  if (!text || !NamesIn(*text)) return std::nullopt;
  solve::DockerfileText dockerfile{source.filename, *std::move(text), std::nullopt};
  IgnoreFile ignore = IgnoreFileInForce(source, trees);
  const bool fits = dockerfile.text.size() + ignore.text.size() <= kMostInCall;
  if (fits && InOrder(ignore)) {
    dockerfile.ignore = std::move(ignore.text);
    return dockerfile;
  }
  // The frontend looks for the Dockerfile's own beside it, which is then the call.
  const bool in_context = ignore.name == kContextsOwn;
  return in_context ? std::optional(std::move(dockerfile)) : std::nullopt;
}

}  // namespace depot::plan
