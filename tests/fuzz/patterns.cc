// Lines of an ignore file, an empty line, and paths: what decides on the way down a tree is what
// decides for a path alone, and later lines have the last word.

#include "driver/files/patterns.h"

#include <cstdint>
#include <cstdlib>

#include "driver/base/text.h"
#include "driver/files/filter.h"

namespace {

using depot::CleanPath;
using depot::files::Filter;
using depot::files::PatternSet;

void Expect(bool holds) {
  if (!holds) std::abort();
}

std::vector<std::string> Lines(std::string_view text) {
  std::vector<std::string> lines;
  for (const std::string_view line : depot::Split(text, '\n'))
    lines.emplace_back(line);
  return lines;
}

PatternSet With(std::vector<std::string> lines, std::string last) {
  lines.push_back(std::move(last));
  auto set = PatternSet::Compile(lines);
  Expect(set.has_value());
  return *std::move(set);
}

/// As a walk does it, each directory by itself.
bool WantedByWalk(const Filter& filter, std::string_view path) {
  Filter::Directory parent = filter.Root();
  std::size_t name_at = 0;
  while (true) {
    const std::size_t slash = path.find('/', name_at);
    if (slash == std::string_view::npos) return filter.WantsFile(parent, path, name_at);
    Filter::Directory self;
    filter.EnterDirectory(parent, path.substr(0, slash), name_at, self);
    if (!self.descend) return false;
    parent = std::move(self);
    name_at = slash + 1;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::size_t middle = std::min(text.find("\n\n"), text.size());
  const std::vector<std::string> lines = Lines(text.substr(0, middle));
  const auto set = PatternSet::Compile(lines);
  if (!set || middle == text.size()) return 0;
  const auto filter = Filter::Compile({{}, lines, {}}, {});
  Expect(filter.has_value());
  const PatternSet everything = With(lines, "**");
  const PatternSet nothing = With(lines, "!**");
  for (const std::string& line : Lines(text.substr(middle + 2))) {
    const std::string path = CleanPath(depot::Cat("/", line)).substr(1);
    if (path.empty()) continue;
    Expect(WantedByWalk(*filter, path) == !set->Matches(path));
    Expect(everything.Matches(path) && !nothing.Matches(path));
  }
  return 0;
}
