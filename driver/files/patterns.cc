#include "driver/files/patterns.h"

#include "driver/base/shown.h"
#include "driver/base/text.h"

namespace depot::files {
namespace {

std::string_view TrimSpace(std::string_view text) {
  constexpr std::string_view kSpace = " \t\n\v\f\r";
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

/// Whether it excludes what is in `path`, and not the directory itself: "dir/*".
bool ExcludesAllIn(std::string_view pattern, std::string_view path) {
  for (std::string_view all : {"/**", "/*"}) {
    if (!pattern.ends_with(all)) continue;
    const auto directory =
        PatternSet::Compile({std::string(pattern.substr(0, pattern.size() - all.size()))});
    return directory && directory->Matches(path);
  }
  return false;
}

}  // namespace

Result<PatternSet> PatternSet::Compile(const std::vector<std::string>& patterns) {
  PatternSet set;
  for (const std::string& line : patterns) {
    std::string_view text = TrimSpace(line);
    if (text.empty()) continue;
    const auto malformed = [&line](std::string_view why) {
      return Error(ErrorCode::kInvalid,
                   Cat("the pattern \"", Printable(line), "\" is malformed: ", why));
    };
    Pattern pattern;
    if (text.starts_with('!')) {
      pattern.exception = true;
      text = TrimSpace(text.substr(1));
      if (text.empty()) return Fail(malformed("nothing follows the exclamation mark"));
    }
    auto glob = Glob::Compile(CleanPath(text));
    if (!glob) return Fail(malformed(glob.error().message()));
    pattern.text = text;
    pattern.glob = *std::move(glob);
    set.patterns_.push_back(std::move(pattern));
  }
  return set;
}

PatternSet::Directory PatternSet::Root() const {
  Directory root;
  root.settled = patterns_.empty();
  root.hit.assign(patterns_.size(), 0);
  for (const Pattern& pattern : patterns_)
    root.progress.push_back(pattern.glob.Start());
  return root;
}

bool PatternSet::MatchesFile(const Directory& parent,
                             std::string_view path,
                             std::size_t name_at) const {
  if (parent.settled) return parent.matched;
  bool matched = false;
  for (std::size_t i = 0; i < patterns_.size(); ++i) {
    const Pattern& pattern = patterns_[i];
    if (parent.hit[i] != 0) {
      matched = !pattern.exception;
    } else if (pattern.exception == matched && parent.progress[i] != 0 &&
               pattern.glob.Matches(parent.progress[i], path, name_at)) {
      matched = !matched;
    }
  }
  return matched;
}

bool PatternSet::MatchesDirectory(const Directory& parent,
                                  std::string_view path,
                                  std::size_t name_at,
                                  Directory& self) const {
  self.settled = parent.settled;
  self.matched = parent.matched;
  self.progress.clear();
  self.hit.clear();
  if (parent.settled) return self.matched;
  bool matched = false;
  std::size_t last = 0;  // one more than the index of the last pattern that matched
  self.progress.resize(patterns_.size());
  self.hit.resize(patterns_.size());
  const std::string_view name = path.substr(name_at);
  for (std::size_t i = 0; i < patterns_.size(); ++i) {
    const Pattern& pattern = patterns_[i];
    const Glob::Progress progress = parent.progress[i];
    const bool hit = parent.hit[i] != 0 || (pattern.exception == matched && progress != 0 &&
                                            pattern.glob.Matches(progress, path, name_at));
    self.hit[i] = hit ? 1 : 0;
    self.progress[i] = hit || progress == 0 ? 0 : pattern.glob.Enter(progress, name);
    if (!hit) continue;
    matched = !pattern.exception;
    last = i + 1;
  }
  self.matched = matched;
  self.settled = !CanChangeBelow(self, last);
  return matched;
}

bool PatternSet::CanChangeBelow(const Directory& directory, std::size_t after) const {
  // What matched the directory matches everything below it, so only later patterns that decide
  // otherwise, and are not used up, can make a difference.
  for (std::size_t i = after; i < patterns_.size(); ++i) {
    if (patterns_[i].exception == directory.matched && directory.progress[i] != 0) return true;
  }
  return false;
}

bool PatternSet::Matches(std::string_view path) const {
  Directory parent = Root();
  Directory self;
  std::size_t name_at = 0;
  while (true) {
    const std::size_t slash = path.find('/', name_at);
    if (slash == std::string_view::npos) return MatchesFile(parent, path, name_at);
    MatchesDirectory(parent, path.substr(0, slash), name_at, self);
    std::swap(parent, self);
    name_at = slash + 1;
  }
}

PatternSet::LookedInto PatternSet::WhyLookedInto(const Directory& self,
                                                 std::string_view path) const {
  LookedInto why;
  for (std::size_t i = 0; i < self.hit.size(); ++i) {
    const Pattern& pattern = patterns_[i];
    if (!pattern.exception && (self.hit[i] != 0 || ExcludesAllIn(pattern.text, path))) {
      why = {pattern.text, ""};
    } else if (pattern.exception && !why.excluding.empty() &&
               (self.hit[i] != 0 || self.progress[i] != 0)) {
      why.exception = Cat('!', pattern.text);
    }
  }
  return why;
}

}  // namespace depot::files
