#include "driver/disk/whole_file.h"

#include <cerrno>
#include <csignal>
#include <functional>

#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "driver/base/text.h"
#include "tests/unit/files/temporary_tree.h"

namespace depot::disk::whole_file_test {
namespace {

#define EXPECT_OK(expression)                                      \
  do {                                                             \
    const auto outcome = (expression);                             \
    EXPECT_TRUE(outcome.has_value()) << outcome.error().message(); \
  } while (false)

/// Runs `body` in a child process; its exit code.
int InChild(const std::function<int()>& body) {
  const pid_t child = fork();
  if (child == 0) _exit(body());
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 98;
}

TEST(WholeFile, HasItsNameOnlyWhenCommitted) {
  files::TemporaryTree tree;
  tree.File("out", "old");
  {
    const auto file = OpenWholeFile(tree.At("out"), false);
    ASSERT_TRUE(file.has_value());
    EXPECT_OK((*file)->Write("ne"));
    EXPECT_OK((*file)->Write("w"));
    EXPECT_EQ(tree.Read("out"), "old");
    EXPECT_OK((*file)->Commit());
    EXPECT_EQ(tree.Read("out"), "new");
  }
  EXPECT_EQ(tree.Names().size(), 1U);
}

TEST(WholeFile, HasNoOtherNameBefore) {
  files::TemporaryTree tree;
  const Fd probe(open(tree.root().c_str(), O_TMPFILE | O_WRONLY, 0600));
  if (!probe.valid()) GTEST_SKIP() << "the file system has no files without names";
  {
    const auto file = OpenWholeFile(tree.At("other"), false);
    ASSERT_TRUE(file.has_value());
    EXPECT_OK((*file)->Write("half"));
    EXPECT_TRUE(tree.Names().empty());
  }
  EXPECT_TRUE(tree.Names().empty());
}

TEST(WholeFile, LeavesNothingNewInTheDirectoryBeforeTheFirstWrite) {
  files::TemporaryTree tree;
  const auto file = OpenWholeFile(tree.At("out"), false);
  ASSERT_TRUE(file.has_value());
  EXPECT_EQ(tree.Names().size(), 0U);
  EXPECT_OK((*file)->Commit());
  EXPECT_EQ(tree.Read("out"), "");
  EXPECT_EQ(tree.Names().size(), 1U);
}

TEST(WholeFile, ModeIs0666LessUmask) {
  files::TemporaryTree tree;
  const mode_t before = umask(027);
  EXPECT_OK(WriteWholeFile(tree.At("file"), "x"));
  umask(before);
  EXPECT_EQ(tree.Stat("file").st_mode, S_IFREG | 0640U);
}

TEST(WholeFile, ParentsAreMadeOnlyWhenAsked) {
  files::TemporaryTree tree;
  const auto missing = OpenWholeFile(tree.At("a/b/file"), false);
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error().code(), ErrorCode::kNotFound);
  EXPECT_FALSE(tree.Exists("a"));
  const auto file = OpenWholeFile(tree.At("a/b/file"), true);
  ASSERT_TRUE(file.has_value());
  EXPECT_OK((*file)->Commit());
  EXPECT_TRUE(tree.Exists("a/b/file"));
  tree.File("plain");
  EXPECT_FALSE(OpenWholeFile(tree.At("plain/b/file"), true).has_value());
}

TEST(WholeFile, ADirectoryIsNotAFile) {
  files::TemporaryTree tree;
  tree.Directory("dir");
  for (const char* path : {"dir", "dir/", "dir/.", "new/", "dir/.."}) {
    const auto file = OpenWholeFile(tree.At(path), false);
    ASSERT_FALSE(file.has_value()) << path;
    EXPECT_EQ(file.error().code(), ErrorCode::kInvalid) << file.error().message();
  }
  EXPECT_FALSE(OpenWholeFile("", false).has_value());
  EXPECT_TRUE(tree.Names("dir").empty());
}

TEST(WholeFile, RelativePathsWork) {
  files::TemporaryTree tree;
  EXPECT_EQ(InChild([&] {
              if (chdir(tree.root().c_str()) != 0) return 1;
              if (!WriteWholeFile("plain", "x")) return 2;
              const auto file = OpenWholeFile("sub/deep", true);
              if (!file) return 3;
              // The directory is held: changing the current one does no harm.
              if (chdir("/") != 0) return 4;
              return (*file)->Commit() ? 0 : 5;
            }),
            0);
  EXPECT_TRUE(tree.Exists("plain"));
  EXPECT_TRUE(tree.Exists("sub/deep"));
}

TEST(WholeFile, ASymlinkStaysAndItsTargetIsReplaced) {
  files::TemporaryTree tree;
  tree.File("real/file", "old");
  tree.Symlink("link", "real/file");
  tree.Symlink("dangling", "real/new");
  tree.Symlink("loop", "loop");
  EXPECT_OK(WriteWholeFile(tree.At("link"), "new"));
  EXPECT_OK(WriteWholeFile(tree.At("dangling"), "made"));
  EXPECT_FALSE(WriteWholeFile(tree.At("loop"), "x").has_value());
  EXPECT_TRUE(S_ISLNK(tree.Stat("link").st_mode));
  EXPECT_EQ(tree.Read("real/file"), "new");
  EXPECT_EQ(tree.Read("real/new"), "made");
}

TEST(WholeFile, DevicesAreWrittenDirectly) {
  EXPECT_OK(WriteWholeFile("/dev/null", "x"));
  struct stat st {};
  ASSERT_EQ(stat("/dev/null", &st), 0);
  EXPECT_TRUE(S_ISCHR(st.st_mode));
  const auto full = WriteWholeFile("/dev/full", "x");
  ASSERT_FALSE(full.has_value());
  EXPECT_NE(full.error().message().find("o space left"), std::string::npos);
  EXPECT_NE(full.error().message().find("/dev/full"), std::string::npos);
}

TEST(WholeFile, OwnDescriptorsAreWrittenWhereTheyStand) {
  files::TemporaryTree tree;
  const int out = open(tree.At("log").c_str(), O_CREAT | O_RDWR, 0644);
  ASSERT_GE(out, 0);
  ASSERT_EQ(write(out, "first ", 6), 6);
  for (const std::string& path : {Cat("/proc/self/fd/", out), Cat("/dev/fd/", out)}) {
    EXPECT_OK(WriteWholeFile(path, "second "));
  }
  ASSERT_EQ(write(out, "third", 5), 5);
  EXPECT_EQ(tree.Read("log"), "first second second third");
  EXPECT_EQ(tree.Names().size(), 1U);
  EXPECT_EQ(InChild([&] {
              dup2(out, 1);
              return WriteWholeFile("/dev/stdout", "!") ? 0 : 1;
            }),
            0);
  EXPECT_EQ(tree.Read("log"), "first second second third!");
  close(out);
  const int in = open(tree.At("log").c_str(), O_RDONLY);
  EXPECT_FALSE(OpenWholeFile(Cat("/dev/fd/", in), false).has_value());
  close(in);
  EXPECT_FALSE(OpenWholeFile("/dev/fd/987", false).has_value());
}

TEST(WholeFile, PipesNeedAReaderAndDoNotHang) {
  files::TemporaryTree tree;
  ASSERT_EQ(mkfifo(tree.At("pipe").c_str(), 0600), 0);
  EXPECT_FALSE(OpenWholeFile(tree.At("pipe"), false).has_value());
  const Fd reader(open(tree.At("pipe").c_str(), O_RDONLY | O_NONBLOCK));
  EXPECT_OK(WriteWholeFile(tree.At("pipe"), "through"));
  char buffer[16];
  EXPECT_EQ(read(reader.get(), buffer, sizeof buffer), 7);
  EXPECT_TRUE(S_ISFIFO(tree.Stat("pipe").st_mode));
}

TEST(WholeFile, NonBlockingDescriptorsGetEverything) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_NONBLOCK), 0);
  const std::string content(1 << 20, 'x');
  const pid_t child = fork();
  if (child == 0) {
    close(ends[0]);
    _exit(WriteWholeFile(Cat("/dev/fd/", ends[1]), content) ? 0 : 1);
  }
  close(ends[1]);
  const Fd reader(ends[0]);
  fcntl(reader.get(), F_SETFL, 0);
  EXPECT_EQ(files::ReadFd(reader).size(), content.size());
  int status = 1;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

TEST(WholeFile, AFullDiskIsAnErrorAndLeavesNothing) {
  files::TemporaryTree tree;
  if (mount("none", tree.root().c_str(), "tmpfs", 0, "size=64k") != 0) {
    GTEST_SKIP() << "needs the right to mount a small file system";
  }
  const auto written = WriteWholeFile(tree.At("file"), std::string(1 << 20, 'x'));
  ASSERT_FALSE(written.has_value());
  EXPECT_NE(written.error().message().find("o space left"), std::string::npos);
  EXPECT_TRUE(tree.Names().empty());
  umount(tree.root().c_str());
}

TEST(WholeFile, AClosedDirectoryIsFoundOutBeforehand) {
  files::TemporaryTree tree;
  chmod(tree.root().c_str(), 0755);
  EXPECT_EQ(InChild([&] {
              if (getuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0)) return 99;
              const auto file = OpenWholeFile(tree.At("file"), false);
              if (file) return 1;
              return file.error().code() == ErrorCode::kDenied ? 0 : 2;
            }),
            getuid() == 0 ? 0 : 1);
}

}  // namespace
}  // namespace depot::disk::whole_file_test
