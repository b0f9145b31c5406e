#include "driver/files/tree.h"

#include <algorithm>
#include <functional>
#include <map>
#include <random>

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include "driver/base/task_group.h"
#include "driver/base/text.h"
#include "driver/files/patterns.h"
#include "tests/unit/files/temporary_tree.h"

namespace depot::files::tree_test {
namespace {

using Paths = std::vector<std::string>;

std::vector<FileEntry> WalkAll(const FileTree& tree, const TreeFilter& filter = {}) {
  std::vector<FileEntry> entries;
  const auto walked = tree.Walk(
      filter,
      [&](FileEntry entry) -> Result<> {
        entries.push_back(std::move(entry));
        return {};
      },
      Cancel::Never());
  EXPECT_TRUE(walked.has_value()) << (walked ? "" : walked.error().message());
  return entries;
}

Paths PathsOf(const std::vector<FileEntry>& entries) {
  Paths paths;
  for (const FileEntry& entry : entries)
    paths.push_back(entry.path);
  return paths;
}

std::vector<FileEntry> WalkAll(const TemporaryTree& tree, const TreeFilter& filter = {}) {
  const auto opened = OpenDirectoryTree(tree.root());
  EXPECT_TRUE(opened.has_value());
  return WalkAll(**opened, filter);
}

/// "/" below every other byte.
bool FsutilLess(const std::string& a, const std::string& b) {
  return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
    const auto key = [](char c) { return c == '/' ? 0 : static_cast<unsigned char>(c); };
    return key(x) < key(y);
  });
}

TEST(DirectoryTree, WalksDepthFirstWithNamesSortedByByte) {
  TemporaryTree tree;
  for (const char* path : {"b", "a/z", "a/B", "a-b", "a.c/x", "a0", "\xC3\xA9", "\xFF\xFE", "Z"}) {
    tree.File(path);
  }
  const Paths paths = PathsOf(WalkAll(tree));
  const Paths expected = {"Z",     "a",  "a/B", "a/z",      "a-b",     "a.c",
                          "a.c/x", "a0", "b",   "\xC3\xA9", "\xFF\xFE"};
  EXPECT_EQ(paths, expected);
  EXPECT_TRUE(std::is_sorted(paths.begin(), paths.end(), FsutilLess));
}

TEST(DirectoryTree, SaysWhatTheFileSystemSays) {
  TemporaryTree tree;
  tree.File("file", "hello");
  tree.Directory("dir");
  tree.Symlink("link", "../no/where");
  ASSERT_EQ(chmod(tree.At("file").c_str(), 04755), 0);
  ASSERT_EQ(chmod(tree.At("dir").c_str(), 01777), 0);
  ASSERT_EQ(mkfifo(tree.At("pipe").c_str(), 0640), 0);
  const timespec times[] = {{1, 1}, {1234567890, 123456789}};
  ASSERT_EQ(utimensat(AT_FDCWD, tree.At("file").c_str(), times, 0), 0);
  const timespec before_1970[] = {{1, 1}, {-5, 999999999}};
  ASSERT_EQ(utimensat(AT_FDCWD, tree.At("pipe").c_str(), before_1970, 0), 0);
  const auto entries = WalkAll(tree);
  ASSERT_EQ(PathsOf(entries), (Paths{"dir", "file", "link", "pipe"}));
  EXPECT_EQ(entries[0].mode, S_IFDIR | 01777U);
  EXPECT_EQ(entries[0].size, 0);
  EXPECT_EQ(entries[1].mode, S_IFREG | 04755U);
  EXPECT_EQ(entries[1].size, 5);
  EXPECT_EQ(entries[1].mtime_ns, 1234567890123456789);
  EXPECT_EQ(entries[1].uid, getuid());
  EXPECT_EQ(entries[2].mode & S_IFMT, static_cast<unsigned>(S_IFLNK));
  EXPECT_EQ(entries[2].linkname, "../no/where");
  EXPECT_EQ(entries[2].size, 11);
  EXPECT_EQ(entries[3].mode & S_IFMT, static_cast<unsigned>(S_IFIFO));
  EXPECT_EQ(entries[3].mtime_ns, -4000000001);
}

TEST(DirectoryTree, TimesThatDoNotFitAreTheNearestThatDo) {
  EXPECT_EQ(Nanoseconds({-5, 999999999}), -4000000001);
  EXPECT_EQ(Nanoseconds({INT64_MAX / 1'000'000'000, 0}), INT64_MAX);
  EXPECT_EQ(Nanoseconds({INT64_MAX, 999999999}), INT64_MAX);
  EXPECT_EQ(Nanoseconds({INT64_MIN, 0}), INT64_MIN);
  TemporaryTree tree;
  tree.File("late");
  const timespec year_2300[] = {{1, 1}, {10413792000, 1}};
  ASSERT_EQ(utimensat(AT_FDCWD, tree.At("late").c_str(), year_2300, 0), 0);
  EXPECT_GT(WalkAll(tree)[0].mtime_ns, 2'000'000'000'000'000'000);
}

TEST(DirectoryTree, DevicesHaveNumbersAndSocketsTheirType) {
  TemporaryTree tree;
  const int listener = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  tree.At("sock").copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  close(listener);
  const bool root = mknod(tree.At("null").c_str(), S_IFCHR | 0600, makedev(1, 3)) == 0;
  const auto entries = WalkAll(tree);
  ASSERT_EQ(entries.size(), root ? 2U : 1U);
  EXPECT_EQ(entries.back().mode & S_IFMT, static_cast<unsigned>(S_IFSOCK));
  if (!root) return;
  EXPECT_EQ(entries[0].dev_major, 1);
  EXPECT_EQ(entries[0].dev_minor, 3);
}

TEST(DirectoryTree, LaterNamesOfAnInodeAreHardLinksToTheFirstOneSent) {
  TemporaryTree tree;
  tree.File("b/one", "data");
  tree.HardLink("c", "b/one");
  tree.HardLink("a", "b/one");
  auto entries = WalkAll(tree);
  ASSERT_EQ(PathsOf(entries), (Paths{"a", "b", "b/one", "c"}));
  EXPECT_EQ(entries[0].linkname, "");
  EXPECT_EQ(entries[0].size, 4);
  EXPECT_EQ(entries[2].linkname, "a");
  EXPECT_EQ(entries[2].size, 4);
  EXPECT_EQ(entries[3].linkname, "a");
  EXPECT_EQ(entries[3].size, 4);
  entries = WalkAll(tree, {{}, {"a"}, {}});
  ASSERT_EQ(PathsOf(entries), (Paths{"b", "b/one", "c"}));
  EXPECT_EQ(entries[1].linkname, "");
  EXPECT_EQ(entries[1].size, 4);
  EXPECT_EQ(entries[2].linkname, "b/one");
}

TEST(DirectoryTree, CarriesExtendedAttributesButApples) {
  TemporaryTree tree;
  tree.File("file");
  tree.Directory("dir");
  const std::string big(3000, 'v');
  if (setxattr(tree.At("file").c_str(), "user.a", "1\0002", 3, 0) != 0) {
    GTEST_SKIP() << "the temporary directory has no extended attributes";
  }
  ASSERT_EQ(setxattr(tree.At("file").c_str(), "user.com.apple.x", "1", 1, 0), 0);
  ASSERT_EQ(setxattr(tree.At("dir").c_str(), "user.big", big.data(), big.size(), 0), 0);
  const auto entries = WalkAll(tree);
  ASSERT_EQ(entries.size(), 2U);
  EXPECT_EQ(entries[0].xattrs, (std::map<std::string, std::string>{{"user.big", big}}));
  EXPECT_EQ(entries[1].xattrs.at("user.a"), std::string("1\0002", 3));
  EXPECT_EQ(entries[1].xattrs.size(), 2U);  // only a prefix "com.apple." is left out
}

TEST(DirectoryTree, HoldsParentsBackUntilSomethingBelowIsSent) {
  TemporaryTree tree;
  for (const char* path : {"a/b/keep.txt", "a/b/drop", "a/c/drop", "z"})
    tree.File(path);
  EXPECT_EQ(PathsOf(WalkAll(tree, {{}, {"*", "!a/b/keep.txt"}, {}})),
            (Paths{"a", "a/b", "a/b/keep.txt"}));
  EXPECT_EQ(PathsOf(WalkAll(tree, {{"**/keep.*"}, {}, {}})), (Paths{"a", "a/b", "a/b/keep.txt"}));
  EXPECT_EQ(PathsOf(WalkAll(tree, {{"a/*"}, {"**/drop"}, {}})),
            (Paths{"a", "a/b", "a/b/keep.txt", "a/c"}));
  EXPECT_EQ(PathsOf(WalkAll(tree, {{"none"}, {}, {}})), Paths{});
  EXPECT_EQ(PathsOf(WalkAll(tree, {{"none", "."}, {"a"}, {}})), Paths{"z"});
}

TEST(DirectoryTree, FollowedPathsAreAddedToTheIncludePatterns) {
  TemporaryTree tree;
  tree.File("real/file");
  tree.File("real/other");
  tree.File("more");
  tree.Symlink("link", "real/file");
  EXPECT_EQ(PathsOf(WalkAll(tree, {{}, {}, {"link"}})), (Paths{"link", "real", "real/file"}));
  EXPECT_EQ(PathsOf(WalkAll(tree, {{"more"}, {}, {"link"}})),
            (Paths{"link", "more", "real", "real/file"}));
  EXPECT_EQ(WalkAll(tree, {{"more"}, {}, {"/"}}).size(), 5U);
}

TEST(DirectoryTree, AMalformedPatternIsInvalidAndNamed) {
  TemporaryTree tree;
  const auto opened = OpenDirectoryTree(tree.root());
  ASSERT_TRUE(opened.has_value());
  for (const TreeFilter& filter :
       {TreeFilter{{"[a-"}, {}, {}}, TreeFilter{{}, {"[a-"}, {}}, TreeFilter{{}, {}, {"[a-"}}}) {
    const auto walked = (*opened)->Walk(
        filter, [](const FileEntry&) { return Result<>(); }, Cancel::Never());
    ASSERT_FALSE(walked.has_value());
    EXPECT_EQ(walked.error().code(), ErrorCode::kInvalid);
    EXPECT_NE(walked.error().message().find("[a-"), std::string::npos);
  }
}

TEST(DirectoryTree, StopsAtTheVisitorsErrorAndWhenCancelled) {
  TemporaryTree tree;
  for (int i = 0; i < 600; ++i)
    tree.File(Cat("f", i));
  const auto opened = OpenDirectoryTree(tree.root());
  ASSERT_TRUE(opened.has_value());
  int visits = 0;
  auto walked = (*opened)->Walk(
      {},
      [&](const FileEntry&) -> Result<> {
        return ++visits == 3 ? Fail(ErrorCode::kFailed, "enough") : Result<>();
      },
      Cancel::Never());
  ASSERT_FALSE(walked.has_value());
  EXPECT_EQ(walked.error().message(), "enough");
  EXPECT_EQ(visits, 3);
  CancelSource source;
  visits = 0;
  walked = (*opened)->Walk(
      {},
      [&](const FileEntry&) -> Result<> {
        if (++visits == 1) source.Request(Error(ErrorCode::kCancelled, "stop"));
        return {};
      },
      source.cancel());
  ASSERT_FALSE(walked.has_value());
  EXPECT_EQ(walked.error().code(), ErrorCode::kCancelled);
  EXPECT_LT(visits, 600);
}

TEST(DirectoryTree, SkipsWhatVanishesMeanwhile) {
  TemporaryTree tree;
  for (const char* path : {"a", "b", "c/d/e", "f/g", "h"})
    tree.File(path);
  const auto opened = OpenDirectoryTree(tree.root());
  ASSERT_TRUE(opened.has_value());
  Paths paths;
  const auto walked = (*opened)->Walk(
      {},
      [&](const FileEntry& entry) -> Result<> {
        paths.push_back(entry.path);
        if (entry.path == "a") std::filesystem::remove(tree.At("b"));
        if (entry.path == "c") std::filesystem::remove_all(tree.At("c"));
        if (entry.path == "f") {
          std::filesystem::remove_all(tree.At("f"));
          tree.Symlink("f", "/etc");
        }
        return {};
      },
      Cancel::Never());
  ASSERT_TRUE(walked.has_value()) << walked.error().message();
  EXPECT_EQ(paths, (Paths{"a", "c", "f", "h"}));
}

/// Runs `body` in a child process as a user without privileges; its exit code.
int AsNobody(const std::function<int()>& body) {
  const pid_t child = fork();
  if (child == 0) {
    if (getuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0)) _exit(99);
    _exit(body());
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 98;
}

TEST(DirectoryTree, AnUnreadableDirectoryIsAnErrorOnlyWhenSomethingInItMayBeWanted) {
  TemporaryTree tree;
  tree.File("closed/secret");
  tree.File("open");
  chmod(tree.root().c_str(), 0755);
  chmod(tree.At("closed").c_str(), 0);
  const auto walk = [&](const TreeFilter& filter) {
    return AsNobody([&] {
      const auto opened = OpenDirectoryTree(tree.root());
      if (!opened) return 90;
      const auto walked = (*opened)->Walk(
          filter, [](const FileEntry&) { return Result<>(); }, Cancel::Never());
      if (walked) return 0;
      return walked.error().message().find("closed") == std::string::npos ? 2 : 1;
    });
  };
  EXPECT_EQ(walk({}), 1);
  EXPECT_EQ(walk({{}, {"closed"}, {}}), 0);
  EXPECT_EQ(walk({{}, {"closed", "!closed/x"}, {}}), 1);
  EXPECT_EQ(walk({{}, {"*", "!closed/deep/**"}, {}}), 1);
  for (const char* into : {"!**/x", "!*/x"})
    EXPECT_EQ(walk({{}, {"closed", into}, {}}), 1) << into;
  for (const char* elsewhere : {"!closed2/x", "!*.md", "!open"})
    EXPECT_EQ(walk({{}, {"closed", elsewhere}, {}}), 0) << elsewhere;
  EXPECT_EQ(walk({{"open"}, {}, {}}), 0);
  EXPECT_EQ(walk({{"**/x"}, {}, {}}), 1);
  EXPECT_EQ(walk({{"**/x"}, {"closed"}, {}}), 0);
  chmod(tree.At("closed").c_str(), 0755);
}

/// What a user without privileges is told of a walk that fails; "" = it does not.
std::string HintOfWalk(const TemporaryTree& tree, const TreeFilter& filter) {
  int ends[2];
  if (pipe(ends) != 0) return "no pipe";
  const Fd from(ends[0]);
  Fd to(ends[1]);
  (void)AsNobody([&] {
    const auto opened = OpenDirectoryTree(tree.root());
    if (!opened) return 90;
    const auto walked = (*opened)->Walk(
        filter, [](const FileEntry&) { return Result<>(); }, Cancel::Never());
    const std::string hint = walked ? "" : walked.error().hint();
    return write(to.get(), hint.data(), hint.size()) < 0 ? 91 : 0;
  });
  to.Reset();
  return ReadFd(from);
}

TEST(DirectoryTree, TheHintOfAnUnreadableDirectorySaysWhichLineWantsIt) {
  TemporaryTree tree;
  tree.File("sec/deep/x");
  chmod(tree.root().c_str(), 0755);
  chmod(tree.At("sec").c_str(), 0);
  const auto hint = [&](std::vector<std::string> exclude) {
    return HintOfWalk(tree, {{}, std::move(exclude), {}});
  };
  EXPECT_EQ(hint({}), "make it readable, or exclude it in .dockerignore");
  EXPECT_EQ(hint({"!sec/x", "*.md"}), "make it readable, or exclude it in .dockerignore");
  for (const char* line : {"!sec/x", "!sec/*/x", "!**/x"}) {
    for (const char* before : {"sec", "sec/*", "*", "s?c/**"})
      EXPECT_NE(hint({before, line, "*.md"}).find(Cat("take \"", line, "\" out")),
                std::string::npos)
          << before << ' ' << line << ": " << hint({before, line});
  }
  EXPECT_NE(hint({"*", "!sec"}).find("take \"!sec\" out"), std::string::npos);
  for (const char* line : {"sec/*", "sec/**", "s*/*", "**/*/**"})
    EXPECT_NE(hint({line, "other/*"}).find(Cat("\"", line, "\" excludes what is in it")),
              std::string::npos)
        << hint({line});
  chmod(tree.At("sec").c_str(), 0755);
  chmod(tree.At("sec/deep").c_str(), 0);
  EXPECT_NE(hint({"sec/deep/*"}).find("\"sec/deep/*\" excludes"), std::string::npos);
  EXPECT_EQ(hint({"sec/deep"}), "");
  chmod(tree.At("sec/deep").c_str(), 0755);
}

TEST(DirectoryTree, TheHintOfALookThatIsDeniedNamesTheDirectory) {
  TemporaryTree tree;
  tree.File("sec/x");
  chmod(tree.root().c_str(), 0755);
  chmod(tree.At("sec").c_str(), 0744);
  EXPECT_EQ(HintOfWalk(tree, {}),
            "let this user read and enter sec (chmod +rx), or exclude it in .dockerignore");
  for (const char* wanted : {"sec/x", "sec/x/y"})
    EXPECT_EQ(HintOfWalk(tree, {{}, {}, {wanted}}),
              "let this user read and enter sec (chmod +rx): the build asks for what is in it");
  chmod(tree.At("sec").c_str(), 0711);
  EXPECT_EQ(HintOfWalk(tree, {{}, {}, {"sec/*"}}),
            "let this user read and enter sec (chmod +rx): the build asks for what is in it");
  chmod(tree.At("sec").c_str(), 0755);
}

TEST(DirectoryTree, OpensOnlyRegularFilesBelowTheRoot) {
  TemporaryTree outside;
  outside.File("secret", "outside");
  TemporaryTree tree;
  tree.File("dir/file", "inside");
  tree.Symlink("out", outside.At("secret"));
  tree.Symlink("outdir", outside.root());
  tree.Symlink("inner", "dir");
  tree.Symlink("innerfile", "dir/file");
  ASSERT_EQ(mkfifo(tree.At("pipe").c_str(), 0600), 0);
  const auto opened = OpenDirectoryTree(tree.root());
  ASSERT_TRUE(opened.has_value());
  const auto good = (*opened)->Open("dir/file");
  ASSERT_TRUE(good.has_value());
  EXPECT_EQ(ReadFd(*good), "inside");
  for (const std::string& path :
       {std::string("out"), std::string("outdir/secret"), std::string("inner/file"),
        std::string("innerfile"), std::string("pipe"), std::string("dir"), std::string("."),
        std::string(""), std::string("../x"), std::string("dir/../dir/file"), outside.At("secret"),
        std::string("dir//file"), std::string("dir/./file"), std::string("dir/file\0x", 10),
        std::string("dir/file/x"), std::string(5000, 'x'), std::string(300, 'x')}) {
    const auto refused = (*opened)->Open(path);
    EXPECT_FALSE(refused.has_value()) << path;
  }
  const auto missing = (*opened)->Open("dir/none");
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error().code(), ErrorCode::kNotFound);
}

TEST(DirectoryTree, SurvivesRenamingOfTheRoot) {
  TemporaryTree tree;
  tree.File("root/file", "x");
  const auto opened = OpenDirectoryTree(tree.At("root"));
  ASSERT_TRUE(opened.has_value());
  std::filesystem::rename(tree.At("root"), tree.At("moved"));
  EXPECT_EQ(PathsOf(WalkAll(**opened)), Paths{"file"});
  EXPECT_TRUE((*opened)->Open("file").has_value());
}

TEST(DirectoryTree, TheRootMustBeADirectoryOrASymlinkToOne) {
  TemporaryTree tree;
  tree.File("dir/file");
  tree.Symlink("link", "dir");
  const auto linked = OpenDirectoryTree(tree.At("link"));
  ASSERT_TRUE(linked.has_value());
  EXPECT_EQ(PathsOf(WalkAll(**linked)), Paths{"file"});
  const auto missing = OpenDirectoryTree(tree.At("none"));
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error().code(), ErrorCode::kNotFound);
  const auto file = OpenDirectoryTree(tree.At("dir/file"));
  ASSERT_FALSE(file.has_value());
  EXPECT_EQ(file.error().code(), ErrorCode::kInvalid);
}

TEST(DirectoryTree, WalksTreesDeeperThanItHoldsOpen) {
  TemporaryTree tree;
  std::string path = "d";
  for (int i = 0; i < 150; ++i)
    path += "/d";
  tree.File(path + "/file");
  // Siblings that sort after the deep part have to be found on the way back.
  tree.File("d/d/z");
  tree.File("z");
  auto paths = PathsOf(WalkAll(tree));
  ASSERT_EQ(paths.size(), 154U);
  EXPECT_EQ(paths[151], path + "/file");
  EXPECT_EQ(paths[152], "d/d/z");
  EXPECT_EQ(paths[153], "z");
  paths = PathsOf(WalkAll(tree, {{"**/file"}, {}, {}}));
  ASSERT_EQ(paths.size(), 152U);
  EXPECT_EQ(paths.back(), path + "/file");
}

TEST(DirectoryTree, TwentyThousandFilesWithExceptions) {
  TemporaryTree tree;
  for (int d = 0; d < 100; ++d) {
    tree.Directory(Cat("d", d));
    for (int f = 0; f < 200; ++f) {
      const int fd = open(tree.At(Cat("d", d, "/f", f, f % 10 == 0 ? ".keep" : ".txt")).c_str(),
                          O_CREAT | O_WRONLY, 0644);
      ASSERT_GE(fd, 0);
      close(fd);
    }
  }
  const TreeFilter filter{{}, {"**/*.txt", "!d1?/*.txt", "d9*", "!**/f10*.keep", "d99/**"}, {}};
  const auto set = PatternSet::Compile(filter.exclude);
  ASSERT_TRUE(set.has_value());
  std::size_t expected = 0;
  for (int d = 0; d < 100; ++d) {
    std::size_t files = 0;
    for (int f = 0; f < 200; ++f) {
      files += set->Matches(Cat("d", d, "/f", f, f % 10 == 0 ? ".keep" : ".txt")) ? 0 : 1;
    }
    const bool wanted = !set->Matches(Cat("d", d));
    expected += files + (wanted || files > 0 ? 1 : 0);
  }
  const auto paths = PathsOf(WalkAll(tree, filter));
  EXPECT_EQ(paths.size(), expected);
  EXPECT_TRUE(std::is_sorted(paths.begin(), paths.end(), FsutilLess));
  EXPECT_EQ(WalkAll(tree).size(), 20'100U);
  const auto has = [&](const char* path) {
    return std::find(paths.begin(), paths.end(), path) != paths.end();
  };
  EXPECT_TRUE(has("d10/f1.txt"));
  EXPECT_FALSE(has("d20/f1.txt"));
  EXPECT_TRUE(has("d20/f20.keep"));
  EXPECT_FALSE(has("d95/f20.keep"));
  EXPECT_TRUE(has("d95/f100.keep"));
  EXPECT_FALSE(has("d99/f100.keep"));
}

/// What is not descended into must not have held anything wanted.
TEST(DirectoryTree, PruningNeverLosesAnEntry) {
  TemporaryTree tree;
  const Paths names = {"a", "b", "ab"};
  Paths files;
  for (const std::string& x : names) {
    for (const std::string& y : names) {
      for (const std::string& z : names) {
        tree.File(Cat(x, "/", y, "/", z, "/a"));
        tree.File(Cat(x, "/", y, "/", z, "/b.txt"));
      }
    }
  }
  const auto opened = OpenDirectoryTree(tree.root());
  ASSERT_TRUE(opened.has_value());
  const auto all = WalkAll(**opened);
  const Paths pieces = {"a", "b", "ab", "*", "**", "?", "a*", "*.txt", "[ab]", "b.txt"};
  std::mt19937 random(7);
  const auto random_patterns = [&] {
    Paths patterns;
    for (unsigned i = 0, count = random() % 4; i < count; ++i) {
      std::string pattern = random() % 3 == 0 ? "!" : "";
      for (unsigned p = 0, parts = 1 + random() % 4; p < parts; ++p) {
        if (p > 0) pattern += '/';
        pattern += pieces[random() % pieces.size()];
      }
      patterns.push_back(pattern);
    }
    return patterns;
  };
  for (int round = 0; round < 300; ++round) {
    const TreeFilter filter{random_patterns(), random_patterns(), {}};
    const auto include = PatternSet::Compile(filter.include);
    const auto exclude = PatternSet::Compile(filter.exclude);
    Paths expected;
    for (const FileEntry& entry : all) {
      if (!filter.include.empty() && !include->Matches(entry.path)) continue;
      if (exclude->Matches(entry.path)) continue;
      for (std::size_t slash = entry.path.find('/'); slash != std::string::npos;
           slash = entry.path.find('/', slash + 1)) {
        expected.push_back(entry.path.substr(0, slash));
      }
      expected.push_back(entry.path);
    }
    std::sort(expected.begin(), expected.end(), FsutilLess);
    expected.erase(std::unique(expected.begin(), expected.end()), expected.end());
    ASSERT_EQ(PathsOf(WalkAll(**opened, filter)), expected)
        << "include " << Join(filter.include, " | ") << ", exclude " << Join(filter.exclude, " | ");
  }
}

TEST(DirectoryTree, MayBeWalkedBySeveralThreads) {
  TemporaryTree tree;
  for (int i = 0; i < 300; ++i)
    tree.File(Cat("d", i % 10, "/f", i));
  const auto opened = OpenDirectoryTree(tree.root());
  ASSERT_TRUE(opened.has_value());
  std::vector<Paths> seen(4);
  {
    TaskGroup group(Cancel::Never());
    for (Paths& paths : seen) {
      group.Start("walk", [&](const Cancel& cancel) {
        return (*opened)->Walk(
            {{}, {"d3", "**/f1?"}, {}},
            [&](const FileEntry& entry) -> Result<> {
              paths.push_back(entry.path);
              return (*opened)->Open("d0/f0").map([](const Fd&) {});
            },
            cancel);
      });
    }
    const auto result = group.Wait();
    ASSERT_TRUE(result.has_value()) << result.error().message();
  }
  EXPECT_FALSE(seen[0].empty());
  for (const Paths& paths : seen)
    EXPECT_EQ(paths, seen[0]);
}

TEST(MemoryTree, OffersItsFilesAndNothingElse) {
  const auto tree = MakeMemoryTree({{"Dockerfile", "FROM x\n"}, {".dockerignore", ""}});
  const auto entries = WalkAll(*tree);
  ASSERT_EQ(PathsOf(entries), (Paths{".dockerignore", "Dockerfile"}));
  EXPECT_EQ(entries[1].mode, S_IFREG | 0644U);
  EXPECT_EQ(entries[1].size, 7);
  EXPECT_EQ(entries[1].mtime_ns, 0);
  EXPECT_EQ(PathsOf(WalkAll(*tree, {{}, {}, {"Dockerfile", "dockerfile"}})), Paths{"Dockerfile"});
  EXPECT_EQ(PathsOf(WalkAll(*tree, {{}, {"D*"}, {}})), Paths{".dockerignore"});
  const auto opened = tree->Open("Dockerfile");
  ASSERT_TRUE(opened.has_value());
  EXPECT_EQ(ReadFd(*opened), "FROM x\n");
  const auto missing = tree->Open("/etc/passwd");
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error().code(), ErrorCode::kNotFound);
}

TEST(ComparedTree, TellsOnceWhichFilesAreNotWhatTheyWere) {
  TemporaryTree tree;
  tree.File("same", "1");
  tree.File("grows", "1");
  tree.File("replaced", "1");
  std::vector<std::string> changed;
  auto opened = OpenDirectoryTree(tree.root());
  ASSERT_TRUE(opened);
  auto compared = MakeComparedTree(*std::move(opened),
                                   [&](const std::string& path) { changed.push_back(path); });
  auto walk = [&] {
    ASSERT_TRUE(compared->Walk(
        {}, [](const FileEntry&) -> Result<> { return {}; }, Cancel::Never()));
  };
  walk();
  ASSERT_TRUE(compared->Open("grows"));
  walk();
  EXPECT_TRUE(changed.empty());
  tree.File("grows", "12");
  ASSERT_TRUE(compared->Open("grows"));
  EXPECT_EQ(changed, std::vector<std::string>{"grows"});
  tree.File("replaced", "123");
  walk();
  ASSERT_TRUE(compared->Open("same"));
  EXPECT_EQ(changed, (std::vector<std::string>{"grows", "replaced"}));
}

TEST(GitModesTree, HasThePermissionsThatGitKnows) {
  TemporaryTree tree;
  tree.File("plain");
  tree.File("tool");
  tree.File("sub/for-others");
  tree.Symlink("link", "plain");
  chmod(tree.At("plain").c_str(), 0600);
  chmod(tree.At("tool").c_str(), 04711);
  chmod(tree.At("sub/for-others").c_str(), 0655);
  chmod(tree.At("sub").c_str(), 0700);
  std::map<std::string, std::uint32_t> modes;
  auto opened = OpenDirectoryTree(tree.root());
  ASSERT_TRUE(opened);
  auto normal = MakeGitModesTree(*std::move(opened));
  for (const FileEntry& entry : WalkAll(*normal))
    modes[entry.path] = entry.mode;
  EXPECT_EQ(modes["plain"], S_IFREG | 0644u);
  EXPECT_EQ(modes["tool"], S_IFREG | 0755u);
  EXPECT_EQ(modes["sub/for-others"], S_IFREG | 0644u);
  EXPECT_EQ(modes["sub"], S_IFDIR | 0755u);
  EXPECT_EQ(modes["link"], S_IFLNK | 0777u);
  EXPECT_TRUE(normal->Open("plain"));
}

TEST(ComparedTree, FilesInMemoryDoNotChange) {
  std::vector<std::string> changed;
  auto compared = MakeComparedTree(MakeMemoryTree({{"Dockerfile", "FROM scratch"}}),
                                   [&](const std::string& path) { changed.push_back(path); });
  ASSERT_TRUE(compared->Walk(
      {}, [](const FileEntry&) -> Result<> { return {}; }, Cancel::Never()));
  ASSERT_TRUE(compared->Open("Dockerfile"));
  EXPECT_TRUE(changed.empty());
}

}  // namespace
}  // namespace depot::files::tree_test
