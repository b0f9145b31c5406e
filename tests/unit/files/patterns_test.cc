#include "driver/files/patterns.h"

#include <functional>
#include <random>

#include <gtest/gtest.h>

#include "driver/base/text.h"

namespace depot::files::patterns_test {
namespace {

PatternSet MustCompile(const std::vector<std::string>& patterns) {
  auto set = PatternSet::Compile(patterns);
  EXPECT_TRUE(set.has_value()) << (set ? "" : set.error().message());
  return set ? *std::move(set) : PatternSet();
}

struct Case {
  std::vector<std::string> patterns;
  std::string path;
  bool matches;
};

const Case kCases[] = {
    // Plain names count at the top only, with everything below them.
    {{"bin"}, "bin", true},
    {{"bin"}, "bin/tool", true},
    {{"bin"}, "bin/deep/er/tool", true},
    {{"bin"}, "src/bin", false},
    {{"bin"}, "binary", false},
    {{"bin"}, "Bin", false},
    {{"src/gen"}, "src/gen/a.cc", true},
    {{"src/gen"}, "src/general", false},
    {{"src/gen"}, "src", false},
    // Cleaning.
    {{"./bin"}, "bin", true},
    {{"bin/"}, "bin", true},
    {{"bin//x"}, "bin/x", true},
    {{"  bin\t"}, "bin", true},
    {{"src/../bin"}, "bin", true},
    {{"!./keep", "*", "!./keep"}, "keep", false},
    {{"", "   "}, "anything", false},
    // A leading slash is taken off by whoever reads .dockerignore, not here.
    {{"/bin"}, "bin", false},
    {{"."}, "bin", false},
    {{".."}, "bin", false},
    // * and ?
    {{"*"}, "a", true},
    {{"*"}, "a/b", true},
    {{"*.md"}, "README.md", true},
    {{"*.md"}, "docs/README.md", false},
    {{"*.md"}, ".md", true},
    {{"*.md"}, "README.mdx", false},
    {{"temp*"}, "temp", true},
    {{"temp*"}, "temporary/file", true},
    {{"temp?"}, "tempa", true},
    {{"temp?"}, "temp", false},
    {{"temp?"}, "tempab", false},
    {{"*/temp*"}, "sub/temporary.txt", true},
    {{"*/temp*"}, "temporary.txt", false},
    {{"*/*/temp*"}, "a/b/temp", true},
    {{"*/*/temp*"}, "a/temp", false},
    {{"a*c"}, "abc", true},
    {{"a*c"}, "ac", true},
    {{"a*c"}, "a/c", false},
    {{"a*a"}, "a", false},
    {{"a?c"}, "a/c", false},
    {{"a*b*c*d"}, "a1b2c3d", true},
    {{"a*b*c*d"}, "a1c2b3d", false},
    {{"*a*"}, "xay", true},
    {{"*ab*ab*"}, "xabxabx", true},
    {{"*ab*ab*"}, "xabx", false},
    // ** of all sorts
    {{"**"}, "a", true},
    {{"**"}, "a/b/c", true},
    {{"**/"}, "a/b", true},
    {{"**/*.go"}, "main.go", true},
    {{"**/*.go"}, "a/b/main.go", true},
    {{"**/*.go"}, "a/b/main.gox", false},
    {{"**/node_modules"}, "node_modules", true},
    {{"**/node_modules"}, "web/node_modules/x/index.js", true},
    {{"**/node_modules"}, "web/my_node_modules", false},
    {{"build/**"}, "build", false},
    {{"build/**"}, "build/a/b", true},
    {{"build/**"}, "builder", false},
    {{"a/**/b"}, "a/b", true},
    {{"a/**/b"}, "a/x/y/b", true},
    {{"a/**/b"}, "a/x/y/bb", false},
    {{"a/**/b"}, "ab", false},
    {{"a/**/b/**/c"}, "a/1/b/2/3/c", true},
    {{"a/**/b/**/c"}, "a/1/2/3/c", false},
    {{"**/**/x"}, "x", true},
    {{"**/x/**"}, "a/x/b", true},
    {{"**/x/**"}, "a/x", false},
    {{"a**"}, "abc/d", true},
    {{"a**"}, "ba", false},
    {{"a**/b"}, "ax/y/b", true},
    {{"a**/b"}, "ab", true},
    {{"x/a**"}, "x/abc/d", true},
    {{"**.log"}, "a/b/c.log", true},
    {{"**.log"}, "c.log", true},
    {{"**log"}, "a/mylog", true},
    {{"**log*"}, "a/mylog", false},
    {{"**log*"}, "a/logs", true},
    {{"**a/b"}, "xa/b", true},
    {{"**a/b"}, "q/xa/b", true},
    {{"**a/b"}, "a/c", false},
    // Classes and escapes
    {{"[abc].txt"}, "b.txt", true},
    {{"[abc].txt"}, "d.txt", false},
    {{"[a-c][0-9]"}, "b7", true},
    {{"[^a-c]"}, "d", true},
    {{"[^a-c]"}, "b", false},
    {{"[!a]"}, "!", true},
    {{"[!a]"}, "b", false},
    {{"[*]"}, "*", true},
    {{"[*]"}, "x", false},
    {{"x[^y]z"}, "x/z", true},
    {{"**/*.py[cod]"}, "a/b.pyc", true},
    {{"**/*.py[cod]"}, "a/b.pyx", false},
    {{"[\\]]"}, "]", true},
    {{"[a\\-z]"}, "-", true},
    {{"[a\\-z]"}, "m", false},
    {{"\\*"}, "*", true},
    {{"\\*"}, "x", false},
    {{"a\\?"}, "a?", true},
    {{"a\\bc"}, "abc", true},
    {{"\\!x"}, "!x", true},
    // Regular expressions have no say
    {{"a.c"}, "abc", false},
    {{"a+b"}, "a+b", true},
    {{"a+b"}, "aab", false},
    {{"(x|y)*"}, "(x|y)1", true},
    {{"^a*"}, "^ab", true},
    {{"a{1,2}$*"}, "a{1,2}$", true},
    // Beyond ASCII
    {{"caf\xC3\xA9"}, "caf\xC3\xA9", true},
    {{"caf\xC3\xA9"}, "cafe", false},
    {{"caf?"}, "caf\xC3\xA9", true},
    {{"caf??"}, "caf\xC3\xA9", false},
    {{"caf[\xC3\xA0-\xC3\xBF]"}, "caf\xC3\xA9", true},
    {{"caf[^\xC3\xA9]"}, "caf\xC3\xA9", false},
    {{"*\xE6\x97\xA5*"}, "x\xE6\x97\xA5y", true},
    {{"?"}, "\xFF", true},
    {{"?"}, "\xFF\xFE", false},
    {{"\xFF*"}, "\xFF\x01", true},
    {{"[\xFF]"}, "\xFF", true},
    {{"[\xFF]"}, "\xFE", false},
    {{"d**/*??"}, "d/\xE6\x97\xA5", false},
    // Exceptions: the last match wins
    {{"*.md", "!README.md"}, "README.md", false},
    {{"*.md", "!README.md"}, "OTHER.md", true},
    {{"!README.md", "*.md"}, "README.md", true},
    {{"*.md", "!README*.md", "README-secret.md"}, "README-secret.md", true},
    {{"*.md", "!README*.md", "README-secret.md"}, "README-x.md", false},
    {{"*", "!src"}, "src/a/b.c", false},
    {{"*", "!src"}, "lib/a", true},
    {{"*", "!src", "src/test"}, "src/test/x", true},
    {{"*", "!src/keep"}, "src/keep/x", false},
    {{"*", "!src/keep"}, "src/other", true},
    {{"*", "!**/*.py"}, "a/b/c.py", false},
    {{"*", "!**/*.py"}, "a/b/c.txt", true},
    {{"docs/*", "!docs/README.md"}, "docs/README.md", false},
    {{"docs", "! docs/README.md"}, "docs/README.md", false},
    {{"**", "!a/**", "a/b"}, "a/b/c", true},
    {{"**", "!a/**", "a/b"}, "a/c/d", false},
    // As in moby: an exception that had nothing to except at the directory is not remembered.
    {{"**/*.txt", "!dir"}, "dir/a.txt", true},
    {{"**/*.txt", "!dir/**"}, "dir/a.txt", false},
};

TEST(Patterns, FollowTheDocumentedRules) {
  static_assert(std::size(kCases) >= 80);
  for (const Case& c : kCases) {
    EXPECT_EQ(MustCompile(c.patterns).Matches(c.path), c.matches)
        << Join(c.patterns, " | ") << " against " << c.path;
  }
}

TEST(Patterns, MalformedOnesAreInvalidAndNamed) {
  const std::string malformed[] = {"[",     "a[",      "[a-", "[^",  "[]a]", "[-]", "[x-]",
                                   "[-x]",  "[a-b-c]", "x/[", "\\",  "a\\",  "!",   "! ",
                                   "[z-a]", "[]",      "[\\", "**[", "!["};
  for (const std::string& pattern : malformed) {
    const auto set = PatternSet::Compile({"fine", pattern});
    ASSERT_FALSE(set.has_value()) << pattern;
    EXPECT_EQ(set.error().code(), ErrorCode::kInvalid);
    EXPECT_NE(set.error().message().find('"' + pattern + '"'), std::string::npos)
        << set.error().message();
  }
}

TEST(Patterns, HostileOnesCostNoMoreThanTheirLengthTimesTheName) {
  std::string stars;
  std::string deep;
  for (int i = 0; i < 100; ++i)
    stars += "a*";
  for (int i = 0; i < 30; ++i)
    deep += "**/a/";
  std::string whole;
  for (int i = 0; i < 60; ++i)
    whole += "a**";
  const PatternSet set = MustCompile({stars + "b", deep + "b", whole + "b", "?" + stars + "[x]",
                                      "**/" + stars + "b/**/" + stars + "b"});
  const std::string name(250, 'a');
  std::string path = name;
  for (int i = 0; i < 10; ++i)
    path += "/a/" + name;
  // One that tries all ways to give the stars their share would have 2^100 of them.
  EXPECT_FALSE(set.Matches(path));
}

TEST(Patterns, MoreThanSixtyFourPartsWork) {
  std::string path = "p";
  for (int i = 0; i < 80; ++i)
    path += "/p";
  EXPECT_TRUE(MustCompile({path}).Matches(path + "/x"));
  EXPECT_FALSE(MustCompile({path + "/p"}).Matches(path));
}

TEST(Patterns, SettledMeansNothingBelowCanDiffer) {
  const PatternSet set = MustCompile({"out", "!out/keep/*.txt", "lib"});
  const PatternSet::Directory root = set.Root();
  PatternSet::Directory self;
  EXPECT_TRUE(set.MatchesDirectory(root, "out", 0, self));
  EXPECT_FALSE(self.settled);
  PatternSet::Directory below;
  EXPECT_TRUE(set.MatchesDirectory(self, "out/keep", 4, below));
  EXPECT_FALSE(below.settled);
  EXPECT_TRUE(set.MatchesDirectory(self, "out/other", 4, below));
  EXPECT_TRUE(below.settled);
  EXPECT_TRUE(set.MatchesDirectory(root, "lib", 0, self));
  EXPECT_TRUE(self.settled);
  EXPECT_FALSE(set.MatchesDirectory(root, "src", 0, self));
  EXPECT_TRUE(self.settled);
}

// ---- The same rules once more, written to be obvious and slow.

bool IsPlain(std::string_view text) {
  return text.find_first_of("*?[]\\") == std::string_view::npos;
}

/// One pattern against one whole path; ASCII, well-formed classes without escapes.
bool NaiveGlob(std::string_view p, std::string_view s) {
  if (p.empty()) return s.empty();
  if (p.starts_with("**")) {
    p.remove_prefix(2);
    if (p.starts_with('/')) p.remove_prefix(1);
    if (p.empty()) return true;
    if (NaiveGlob(p, s)) return true;
    for (std::size_t i = 0; i < s.size(); ++i) {
      if (s[i] == '/' && NaiveGlob(p, s.substr(i + 1))) return true;
    }
    return false;
  }
  if (p[0] == '*') {
    for (std::size_t i = 0;; ++i) {
      if (NaiveGlob(p.substr(1), s.substr(i))) return true;
      if (i == s.size() || s[i] == '/') return false;
    }
  }
  if (s.empty()) return false;
  if (p[0] == '?') return s[0] != '/' && NaiveGlob(p.substr(1), s.substr(1));
  if (p[0] == '[') {
    const std::size_t end = p.find(']');
    std::string_view in = p.substr(1, end - 1);
    const bool negated = in[0] == '^';
    if (negated) in.remove_prefix(1);
    const bool found = in.find(s[0]) != std::string_view::npos;
    return found != negated && NaiveGlob(p.substr(end + 1), s.substr(1));
  }
  return p[0] == s[0] && NaiveGlob(p.substr(1), s.substr(1));
}

bool NaivePattern(std::string_view pattern, std::string_view path) {
  if (pattern.starts_with("**") && pattern.size() > 2 && IsPlain(pattern.substr(2))) {
    const std::string_view suffix = pattern.substr(2);
    return path.ends_with(suffix) || (suffix[0] == '/' && path == suffix.substr(1));
  }
  return NaiveGlob(pattern, path);
}

/// Which patterns count as matched for `path`, parents first; and the verdict.
std::pair<bool, std::vector<bool>> NaiveSet(const std::vector<std::string>& patterns,
                                            std::string_view path) {
  std::vector<bool> parent(patterns.size(), false);
  const std::size_t slash = path.rfind('/');
  if (slash != std::string_view::npos) parent = NaiveSet(patterns, path.substr(0, slash)).second;
  bool matched = false;
  std::vector<bool> hits(patterns.size(), false);
  for (std::size_t i = 0; i < patterns.size(); ++i) {
    const bool exception = patterns[i].starts_with('!');
    hits[i] = parent[i] || (exception == matched &&
                            NaivePattern(std::string_view(patterns[i]).substr(exception), path));
    if (hits[i]) matched = !exception;
  }
  return {matched, hits};
}

std::string RandomPattern(std::mt19937& random) {
  static const std::vector<std::string> kPieces = {"a",    "b",   "ab", "a",  "b",    "*",
                                                   "?",    "**",  "/",  "/",  "/**/", "[ab]",
                                                   "[^a]", "**/", ".",  "*b", "/*",   "/**"};
  std::string pattern;
  const auto count = 1 + random() % 5;
  for (unsigned i = 0; i < count; ++i)
    pattern += kPieces[random() % kPieces.size()];
  pattern = CleanPath(pattern);
  const std::size_t start = pattern.find_first_not_of('/');
  return start == std::string::npos ? std::string("a") : pattern.substr(start);
}

TEST(Patterns, IncrementalMatchingAgreesWithTheObviousOne) {
  std::mt19937 random(20240607);
  const std::vector<std::string> names = {"a", "b", "ab", "b.a"};
  for (int round = 0; round < 3000; ++round) {
    std::vector<std::string> patterns;
    const auto count = 1 + random() % 5;
    for (unsigned i = 0; i < count; ++i) {
      patterns.push_back(Cat(random() % 3 == 0 ? "!" : "", RandomPattern(random)));
    }
    const PatternSet set = MustCompile(patterns);
    const std::function<void(const PatternSet::Directory&, const std::string&, int)> descend =
        [&](const PatternSet::Directory& parent, const std::string& prefix, int depth) {
          for (const std::string& name : names) {
            const std::string path = prefix + name;
            const bool expected = NaiveSet(patterns, path).first;
            ASSERT_EQ(set.MatchesFile(parent, path, prefix.size()), expected)
                << Join(patterns, " | ") << " against " << path;
            PatternSet::Directory self;
            ASSERT_EQ(set.MatchesDirectory(parent, path, prefix.size(), self), expected)
                << Join(patterns, " | ") << " against directory " << path;
            if (depth > 1) descend(self, path + "/", depth - 1);
            if (testing::Test::HasFatalFailure()) return;
          }
        };
    descend(set.Root(), "", 3);
    if (HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace depot::files::patterns_test
