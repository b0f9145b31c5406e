#include "driver/files/filter.h"

#include <algorithm>

#include "driver/base/shown.h"
#include "driver/base/text.h"

namespace depot::files {

Result<Filter> Filter::Compile(const TreeFilter& filter, const std::vector<std::string>& followed) {
  Filter compiled;
  std::vector<std::string> include = filter.include;
  include.insert(include.end(), followed.begin(), followed.end());
  const bool everything = std::any_of(include.begin(), include.end(), [](const std::string& path) {
    return !path.empty() && CleanPath(path) == ".";
  });
  compiled.has_include_ = !include.empty() && !everything;
  if (compiled.has_include_) {
    TRY_ASSIGN(compiled.include_, PatternSet::Compile(include));
  }
  TRY_ASSIGN(compiled.exclude_, PatternSet::Compile(filter.exclude));
  return compiled;
}

Filter::Directory Filter::Root() const {
  Directory root;
  root.include = include_.Root();
  root.exclude = exclude_.Root();
  root.descend = true;
  return root;
}

void Filter::EnterDirectory(const Directory& parent,
                            std::string_view path,
                            std::size_t name_at,
                            Directory& self) const {
  const bool included =
      !has_include_ || include_.MatchesDirectory(parent.include, path, name_at, self.include);
  const bool excluded = exclude_.MatchesDirectory(parent.exclude, path, name_at, self.exclude);
  self.wanted = included && !excluded;
  self.descend = (included || !self.include.settled) && (!excluded || !self.exclude.settled);
}

std::string Filter::HintOfUnreadable(const Directory& self, std::string_view path) const {
  const auto [excluding, exception] = exclude_.WhyLookedInto(self.exclude, path);
  if (!exception.empty()) {
    return Cat("make it readable, or take \"", Printable(exception),
               "\" out of .dockerignore: something in it may fit that");
  }
  if (!excluding.empty()) {
    return Cat("make it readable, or exclude it itself in .dockerignore: \"", Printable(excluding),
               "\" excludes what is in it, which has to be read for that");
  }
  return "make it readable, or exclude it in .dockerignore";
}

}  // namespace depot::files
