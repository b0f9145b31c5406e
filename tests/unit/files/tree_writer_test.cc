#include "driver/files/tree_writer.h"

#include <functional>

#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include "driver/base/shown.h"
#include "driver/base/task_group.h"
#include "driver/base/text.h"
#include "tests/unit/files/temporary_tree.h"

namespace depot::files::tree_writer_test {
namespace {

FileEntry Entry(const std::string& path, unsigned mode, const std::string& linkname = "") {
  FileEntry entry;
  entry.path = path;
  entry.mode = mode;
  entry.linkname = linkname;
  entry.mtime_ns = 1'600'000'000'123456789;
  return entry;
}

std::unique_ptr<TreeWriter> MustOpen(const std::string& root) {
  auto writer = OpenTreeWriter(root);
  EXPECT_TRUE(writer.has_value()) << (writer ? "" : writer.error().message());
  return writer ? *std::move(writer) : nullptr;
}

Result<> Write(TreeWriter& writer, const FileEntry& entry, std::string_view content) {
  TRY_ASSIGN(const auto file, writer.Create(entry));
  TRY(file->Write(content));
  return file->Commit();
}

#define EXPECT_OK(expression)                                      \
  do {                                                             \
    const auto outcome = (expression);                             \
    EXPECT_TRUE(outcome.has_value()) << outcome.error().message(); \
  } while (false)

void ExpectRefused(const Result<>& result, const std::string& path) {
  ASSERT_FALSE(result.has_value()) << path;
  EXPECT_EQ(result.error().code(), ErrorCode::kInvalid) << result.error().message();
  EXPECT_NE(result.error().message().find(Printable(path)), std::string::npos)
      << result.error().message();
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

TEST(TreeWriter, RecreatesEveryKindOfEntry) {
  TemporaryTree tree;
  const auto writer = MustOpen(tree.At("out/put"));
  FileEntry file = Entry("dir/file", S_IFREG | 04751);
  file.xattrs["user.color"] = std::string("r\0d", 3);
  EXPECT_OK(writer->Make(Entry("dir", S_IFDIR | 0555)));
  EXPECT_OK(Write(*writer, file, "content"));
  EXPECT_OK(Write(*writer, Entry("empty", S_IFREG | 0600), ""));
  EXPECT_OK(writer->Make(Entry("dir/hard", S_IFREG | 0751, "dir/file")));
  EXPECT_OK(writer->Make(Entry("soft", S_IFLNK | 0777, "/outside/the/root")));
  EXPECT_OK(writer->Make(Entry("pipe", S_IFIFO | 0622)));
  EXPECT_OK(writer->Finish());
  const auto at = [](const std::string& path) { return "out/put/" + path; };
  EXPECT_EQ(tree.Read(at("dir/file")), "content");
  EXPECT_EQ(tree.Stat(at("dir/file")).st_mode, S_IFREG | 04751U);
  EXPECT_EQ(tree.Stat(at("dir/file")).st_mtim.tv_sec, 1'600'000'000);
  EXPECT_EQ(tree.Stat(at("dir/file")).st_mtim.tv_nsec, 123456789);
  EXPECT_EQ(tree.Stat(at("dir/file")).st_ino, tree.Stat(at("dir/hard")).st_ino);
  EXPECT_EQ(tree.Stat(at("dir")).st_mode, S_IFDIR | 0555U);
  EXPECT_EQ(tree.Stat(at("dir")).st_mtim.tv_sec, 1'600'000'000);
  EXPECT_EQ(tree.Stat(at("empty")).st_mode, S_IFREG | 0600U);
  EXPECT_EQ(tree.Stat(at("pipe")).st_mode, S_IFIFO | 0622U);
  EXPECT_EQ(tree.Stat(at("soft")).st_mtim.tv_sec, 1'600'000'000);
  EXPECT_EQ(std::filesystem::read_symlink(tree.At(at("soft"))), "/outside/the/root");
  EXPECT_EQ(tree.Stat("out").st_mode, S_IFDIR | 0700U);
  char value[8];
  if (getxattr(tree.At(at("dir/file")).c_str(), "user.color", value, sizeof value) != 3) {
    EXPECT_EQ(errno, ENOTSUP);
  }
  EXPECT_EQ(tree.Names("out/put").size(), 4U);
  EXPECT_EQ(tree.Names("out/put/dir").size(), 2U);
}

TEST(TreeWriter, RefusesPathsThatLeaveTheRoot) {
  TemporaryTree outside;
  outside.File("passwd", "original");
  TemporaryTree tree;
  const auto writer = MustOpen(tree.root());
  std::string long_path = "d";
  while (long_path.size() < 4100)
    long_path += "/d";
  EXPECT_OK(writer->Make(Entry("dir", S_IFDIR | 0755)));
  for (const std::string& path :
       {std::string(), std::string("/"), std::string("/etc/x"), std::string(".."),
        std::string("../x"), std::string("dir/../../x"), std::string("dir//x"), std::string("dir/"),
        std::string("."), std::string("./x"), std::string("dir/./x"), std::string("a\0b", 3),
        std::string(256, 'n'), long_path, outside.At("passwd")}) {
    ExpectRefused(Write(*writer, Entry(path, S_IFREG | 0644), "evil"), path);
    ExpectRefused(writer->Make(Entry(path, S_IFDIR | 0755)), path);
    ExpectRefused(writer->Make(Entry(path, S_IFLNK | 0777, "x")), path);
  }
  EXPECT_EQ(tree.Names().size(), 1U);
}

TEST(TreeWriter, RefusesToWriteThroughSymlinks) {
  TemporaryTree outside;
  outside.File("passwd", "original");
  TemporaryTree tree;
  tree.Directory("real");
  const auto writer = MustOpen(tree.root());
  EXPECT_OK(writer->Make(Entry("a", S_IFLNK | 0777, outside.root())));
  EXPECT_OK(writer->Make(Entry("b", S_IFLNK | 0777, "real")));
  for (const char* path : {"a/passwd", "a/new", "b/new"}) {
    ExpectRefused(Write(*writer, Entry(path, S_IFREG | 0644), "evil"), path);
    ExpectRefused(writer->Make(Entry(path, S_IFDIR | 0755)), path);
    ExpectRefused(writer->Make(Entry(path, S_IFLNK | 0777, "x")), path);
    ExpectRefused(writer->Make(Entry(path, S_IFIFO | 0644)), path);
  }
  EXPECT_EQ(outside.Read("passwd"), "original");
  EXPECT_EQ(outside.Names().size(), 1U);
  EXPECT_TRUE(tree.Names("real").empty());
}

TEST(TreeWriter, ReplacesSymlinksOfTheUsersInsteadOfFollowingThem) {
  TemporaryTree outside;
  outside.File("file", "original");
  TemporaryTree tree;
  tree.Symlink("file", outside.At("file"));
  tree.Symlink("dir", outside.root());
  tree.Symlink("link", outside.root());
  const auto writer = MustOpen(tree.root());
  EXPECT_OK(Write(*writer, Entry("file", S_IFREG | 0644), "mine"));
  EXPECT_OK(writer->Make(Entry("dir", S_IFDIR | 0755)));
  EXPECT_OK(Write(*writer, Entry("dir/file", S_IFREG | 0644), "below"));
  EXPECT_OK(writer->Make(Entry("link", S_IFLNK | 0777, "elsewhere")));
  EXPECT_OK(writer->Finish());
  EXPECT_EQ(outside.Read("file"), "original");
  EXPECT_EQ(outside.Names().size(), 1U);
  EXPECT_EQ(tree.Read("file"), "mine");
  EXPECT_TRUE(S_ISREG(tree.Stat("file").st_mode));
  EXPECT_EQ(tree.Read("dir/file"), "below");
  EXPECT_TRUE(S_ISDIR(tree.Stat("dir").st_mode));
  EXPECT_EQ(std::filesystem::read_symlink(tree.At("link")), "elsewhere");
}

TEST(TreeWriter, HardLinksLeadOnlyToFilesOfThisTransfer) {
  TemporaryTree outside;
  outside.File("secret", "s");
  TemporaryTree tree;
  tree.File("users", "u");
  tree.Symlink("door", outside.root());
  const auto writer = MustOpen(tree.root());
  EXPECT_OK(Write(*writer, Entry("sent", S_IFREG | 0644), "x"));
  EXPECT_OK(writer->Make(Entry("dir", S_IFDIR | 0755)));
  EXPECT_OK(writer->Make(Entry("soft", S_IFLNK | 0777, outside.At("secret"))));
  for (const std::string& to :
       {std::string("users"), std::string("door/secret"), outside.At("secret"), std::string("../x"),
        std::string("none"), std::string("dir"), std::string("soft")}) {
    const auto result = writer->Make(Entry("hard", S_IFREG | 0644, to));
    ASSERT_FALSE(result.has_value()) << to;
    EXPECT_NE(result.error().message().find(to), std::string::npos) << result.error().message();
    EXPECT_FALSE(tree.Exists("hard"));
  }
  EXPECT_OK(writer->Make(Entry("hard", S_IFREG | 0644, "sent")));
  EXPECT_OK(writer->Make(Entry("hard", S_IFREG | 0644, "sent")));
  // A file that has become something else is not a file of the transfer any more.
  EXPECT_OK(writer->Make(Entry("sent", S_IFLNK | 0777, outside.At("secret"))));
  EXPECT_FALSE(writer->Make(Entry("hard2", S_IFREG | 0644, "sent")).has_value());
  EXPECT_EQ(tree.Names().size(), 6U);  // no temporary name is left
}

TEST(TreeWriter, MergesWithWhatExistsAndReplacesOtherKinds) {
  TemporaryTree tree;
  tree.File("keep/mine", "mine");
  tree.File("was_dir/deep/er/file", "x");
  tree.Symlink("was_dir/deep/link", "/etc");
  tree.File("was_file", "old");
  tree.File("same", "old");
  chmod(tree.At("was_dir/deep/er").c_str(), 0);
  const ino_t kept = tree.Stat("keep").st_ino;
  const auto writer = MustOpen(tree.root());
  EXPECT_OK(writer->Make(Entry("keep", S_IFDIR | 0711)));
  EXPECT_OK(Write(*writer, Entry("keep/new", S_IFREG | 0644), "new"));
  EXPECT_OK(Write(*writer, Entry("was_dir", S_IFREG | 0644), "file now"));
  EXPECT_OK(writer->Make(Entry("was_file", S_IFDIR | 0755)));
  EXPECT_OK(Write(*writer, Entry("same", S_IFREG | 0644), "new"));
  EXPECT_OK(writer->Finish());
  EXPECT_EQ(tree.Stat("keep").st_ino, kept);
  EXPECT_EQ(tree.Stat("keep").st_mode, S_IFDIR | 0711U);
  EXPECT_EQ(tree.Read("keep/mine"), "mine");
  EXPECT_EQ(tree.Read("was_dir"), "file now");
  EXPECT_TRUE(S_ISDIR(tree.Stat("was_file").st_mode));
  EXPECT_EQ(tree.Read("same"), "new");
  EXPECT_TRUE(std::filesystem::exists("/etc/passwd"));
}

TEST(TreeWriter, AFileAppearsWholeOrNotAtAll) {
  TemporaryTree tree;
  tree.File("file", "old");
  const auto writer = MustOpen(tree.root());
  {
    auto file = writer->Create(Entry("file", S_IFREG | 0644));
    ASSERT_TRUE(file.has_value());
    EXPECT_OK((*file)->Write("half of the n"));
    EXPECT_EQ(tree.Read("file"), "old");
  }
  EXPECT_EQ(tree.Read("file"), "old");
  EXPECT_EQ(tree.Names().size(), 1U);
}

TEST(TreeWriter, ParentsMustHaveBeenSent) {
  TemporaryTree tree;
  const auto writer = MustOpen(tree.root());
  ExpectRefused(Write(*writer, Entry("none/file", S_IFREG | 0644), "x"), "none/file");
  EXPECT_OK(Write(*writer, Entry("file", S_IFREG | 0644), "x"));
  ExpectRefused(Write(*writer, Entry("file/below", S_IFREG | 0644), "x"), "file/below");
}

TEST(TreeWriter, RefusesSocketsUnknownKindsAndImpossibleLinks) {
  TemporaryTree tree;
  const auto writer = MustOpen(tree.root());
  EXPECT_FALSE(writer->Make(Entry("s", S_IFSOCK | 0644)).has_value());
  EXPECT_FALSE(writer->Make(Entry("u", 0644)).has_value());
  EXPECT_FALSE(writer->Make(Entry("r", S_IFREG | 0644)).has_value());
  EXPECT_FALSE(writer->Make(Entry("l", S_IFLNK | 0777, "")).has_value());
  EXPECT_FALSE(writer->Make(Entry("l", S_IFLNK | 0777, std::string("a\0b", 3))).has_value());
  EXPECT_TRUE(tree.Names().empty());
}

TEST(TreeWriter, ClosedDirectoriesWorkForUsersWithoutPrivileges) {
  TemporaryTree tree;
  chmod(tree.root().c_str(), 0777);
  EXPECT_EQ(AsNobody([&] {
              // The second round meets what the first one left.
              for (int round = 0; round < 2; ++round) {
                const auto writer = OpenTreeWriter(tree.At("out"));
                if (!writer) return 10;
                if (!(*writer)->Make(Entry("ro", S_IFDIR | 0555))) return 11;
                if (!(*writer)->Make(Entry("ro/none", S_IFDIR | 0))) return 12;
                if (!Write(**writer, Entry("ro/none/file", S_IFREG | 0), "x")) return 13;
                if (!(*writer)->Finish()) return 14;
              }
              struct stat st {};
              if (stat(tree.At("out/ro").c_str(), &st) != 0 || st.st_mode != (S_IFDIR | 0555)) {
                return 15;
              }
              const auto writer = OpenTreeWriter(tree.At("out"));
              if (!Write(**writer, Entry("ro", S_IFREG | 0644), "now a file")) return 16;
              return 0;
            }),
            0);
  EXPECT_EQ(tree.Read("out/ro"), "now a file");
}

TEST(TreeWriter, DevicesNeedRootAndSaySo) {
  TemporaryTree tree;
  chmod(tree.root().c_str(), 0777);
  FileEntry device = Entry("null", S_IFCHR | 0666);
  device.dev_major = 1;
  device.dev_minor = 3;
  EXPECT_EQ(AsNobody([&] {
              const auto writer = OpenTreeWriter(tree.root(), Devices::kMade);
              const auto made = (*writer)->Make(device);
              if (made) return 10;
              if (made.error().code() != ErrorCode::kDenied) return 11;
              return made.error().message().find("null") == std::string::npos ? 12 : 0;
            }),
            0);
  if (mknod(tree.At("probe").c_str(), S_IFCHR | 0600, makedev(1, 3)) != 0) {
    GTEST_SKIP() << "this user makes no device nodes";
  }
  const auto writer = OpenTreeWriter(tree.root(), Devices::kMade);
  EXPECT_OK((*writer)->Make(device));
  EXPECT_EQ(tree.Stat("null").st_mode, S_IFCHR | 0666U);
  EXPECT_EQ(tree.Stat("null").st_rdev, makedev(1, 3));
}

TEST(TreeWriter, DevicesAreMadeOnlyWhenAllowedAndPossible) {
  TemporaryTree tree;
  FileEntry device = Entry("null", S_IFCHR | 0666);
  device.dev_major = 1;
  device.dev_minor = 3;
  for (const mode_t kind : {S_IFCHR, S_IFBLK}) {
    device.mode = kind | 0666;
    const auto made = MustOpen(tree.root())->Make(device);
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().code(), ErrorCode::kDenied);
    EXPECT_NE(made.error().hint().find("devices=true"), std::string::npos);
  }
  const auto writer = OpenTreeWriter(tree.root(), Devices::kMade);
  for (const auto& [major, minor] : std::vector<std::pair<std::int64_t, std::int64_t>>{
           {-1, 3}, {1, -1}, {1 << 12, 3}, {1, 1 << 20}, {INT64_MAX, INT64_MIN}}) {
    device.dev_major = major;
    device.dev_minor = minor;
    EXPECT_EQ((*writer)->Make(device).error().code(), ErrorCode::kInvalid);
  }
  EXPECT_TRUE(tree.Names().empty());
  // A fifo is no device.
  EXPECT_OK(MustOpen(tree.root())->Make(Entry("fifo", S_IFIFO | 0600)));
}

TEST(TreeWriter, AttributesOfFoldersAreSetAtOnceAndTimesAtTheEnd) {
  TemporaryTree tree;
  FileEntry folder = Entry("folder", S_IFDIR | 0755);
  folder.mtime_ns = INT64_MIN;
  folder.xattrs["user.depot"] = "value";
  const auto writer = MustOpen(tree.root());
  EXPECT_OK(writer->Make(folder));
  EXPECT_OK(writer->Finish());
  EXPECT_EQ(tree.Stat("folder").st_mode, S_IFDIR | 0755U);
  if (setxattr(tree.root().c_str(), "user.depot", "", 0, 0) != 0) {
    GTEST_SKIP() << "the file system has no extended attributes";
  }
  char value[16];
  const ssize_t size = getxattr(tree.At("folder").c_str(), "user.depot", value, sizeof value);
  ASSERT_GE(size, 0);
  EXPECT_EQ(std::string(value, static_cast<std::size_t>(size)), "value");
}

TEST(TreeWriter, AFileThatIsBeingWrittenHasNoName) {
  TemporaryTree tree;
  const Fd probe(open(tree.root().c_str(), O_TMPFILE | O_WRONLY, 0600));
  if (!probe.valid()) GTEST_SKIP() << "the file system has no files without names";
  const auto writer = MustOpen(tree.root());
  auto file = writer->Create(Entry("file", S_IFREG | 0644));
  ASSERT_TRUE(file);
  EXPECT_OK((*file)->Write("half"));
  EXPECT_TRUE(tree.Names().empty());
  EXPECT_OK((*file)->Commit());
  EXPECT_EQ(tree.Names(), std::vector<std::string>{"file"});
  tree.Directory("directory/in/it");
  auto over = writer->Create(Entry("directory", S_IFREG | 0644));
  EXPECT_OK((*over)->Commit());
  EXPECT_EQ(tree.Names().size(), 2U);
  EXPECT_TRUE(S_ISREG(tree.Stat("directory").st_mode));
}

TEST(TreeWriter, TheRootMustBeAWritableDirectory) {
  TemporaryTree tree;
  tree.File("file");
  tree.Directory("real");
  tree.Symlink("link", "real");
  const auto file = OpenTreeWriter(tree.At("file"));
  ASSERT_FALSE(file.has_value());
  EXPECT_EQ(file.error().code(), ErrorCode::kInvalid);
  EXPECT_FALSE(OpenTreeWriter(tree.At("file/below")).has_value());
  EXPECT_FALSE(OpenTreeWriter("").has_value());
  EXPECT_OK(Write(*MustOpen(tree.At("link/")), Entry("f", S_IFREG | 0644), "x"));
  EXPECT_TRUE(tree.Exists("real/f"));
  chmod(tree.root().c_str(), 0755);
  EXPECT_EQ(AsNobody([&] {
              for (const char* path : {"", "real", "new", "new/deep"}) {
                const auto writer = OpenTreeWriter(tree.At(path));
                if (writer || writer.error().code() != ErrorCode::kDenied) return 1;
              }
              return 0;
            }),
            0);
}

TEST(TreeWriter, TheRootCanBeCheckedWithoutMakingIt) {
  TemporaryTree tree;
  tree.File("file");
  tree.Directory("real");
  tree.Symlink("dangling", "nowhere");
  for (const char* path : {"real", "real/", "new", "new/deep/", "new/../other", "real//new"}) {
    EXPECT_OK(CheckTreeRoot(tree.At(path)));
  }
  for (const char* path : {"file", "file/below", "dangling", "dangling/", "dangling/below"}) {
    EXPECT_FALSE(CheckTreeRoot(tree.At(path)).has_value()) << path;
  }
  EXPECT_FALSE(CheckTreeRoot("").has_value());
  EXPECT_FALSE(CheckTreeRoot("/proc/none").has_value());
  chmod(tree.root().c_str(), 0755);
  EXPECT_EQ(AsNobody([&] {
              for (const char* path : {"", "real", "new", "new/deep"}) {
                const auto checked = CheckTreeRoot(tree.At(path));
                if (checked || checked.error().code() != ErrorCode::kDenied) return 1;
              }
              return 0;
            }),
            0);
  EXPECT_EQ(tree.Names().size(), 3U);
}

TEST(TreeWriter, AFullDiskIsAnError) {
  TemporaryTree tree;
  if (mount("none", tree.root().c_str(), "tmpfs", 0, "size=64k") != 0) {
    GTEST_SKIP() << "needs the right to mount a small file system";
  }
  {
    const auto writer = MustOpen(tree.root());
    const auto result = Write(*writer, Entry("big", S_IFREG | 0644), std::string(1 << 20, 'x'));
    ASSERT_FALSE(result.has_value());
    EXPECT_NE(result.error().message().find("o space left"), std::string::npos);
    EXPECT_NE(result.error().message().find("big"), std::string::npos);
    EXPECT_TRUE(tree.Names().empty());
  }
  umount(tree.root().c_str());
}

TEST(TreeWriter, SeveralThreadsMayWriteDifferentPaths) {
  TemporaryTree tree;
  const auto writer = MustOpen(tree.root());
  {
    TaskGroup group(Cancel::Never());
    for (int t = 0; t < 4; ++t) {
      group.Start("write", [&, t](const Cancel&) -> Result<> {
        TRY(writer->Make(Entry("shared", S_IFDIR | 0755)));
        TRY(writer->Make(Entry(Cat("d", t), S_IFDIR | 0555)));
        for (int i = 0; i < 100; ++i) {
          const std::string first = Cat("d", t, "/f", i);
          TRY(Write(*writer, Entry(first, S_IFREG | 0644), first));
          TRY(writer->Make(Entry(Cat("shared/", t, "-", i), S_IFREG | 0644, first)));
        }
        return {};
      });
    }
    EXPECT_OK(group.Wait());
  }
  EXPECT_OK(writer->Finish());
  EXPECT_EQ(tree.Names("shared").size(), 400U);
  EXPECT_EQ(tree.Read("shared/3-99"), "d3/f99");
  EXPECT_EQ(tree.Stat("d2").st_mode, S_IFDIR | 0555U);
}

TEST(SubTreeWriter, WritesEverythingBelowItsFolder) {
  TemporaryTree tree;
  auto opened = OpenSubTreeWriter(tree.At("out"), "linux_amd64");
  ASSERT_TRUE(opened) << opened.error().message();
  TreeWriter& writer = **opened;
  EXPECT_OK(writer.Make(Entry("d", S_IFDIR | 0700)));
  EXPECT_OK(Write(writer, Entry("d/file", S_IFREG | 0644), "content"));
  EXPECT_OK(writer.Make(Entry("hard", S_IFREG | 0644, "d/file")));
  EXPECT_OK(writer.Make(Entry("soft", S_IFLNK | 0777, "d/file")));
  EXPECT_OK(writer.Finish());
  EXPECT_EQ(tree.Stat("out/linux_amd64").st_mode & 07777U, 0755U);
  EXPECT_EQ(tree.Read("out/linux_amd64/d/file"), "content");
  EXPECT_EQ(tree.Stat("out/linux_amd64/hard").st_ino, tree.Stat("out/linux_amd64/d/file").st_ino);
  EXPECT_EQ(tree.Read("out/linux_amd64/soft"), "content");
  EXPECT_FALSE(Write(writer, Entry("../linux_arm64", S_IFREG | 0644), "x"));
}

TEST(SubTreeWriter, TheFolderIsNeverASymlinkElsewhere) {
  TemporaryTree tree;
  tree.Directory("elsewhere");
  tree.Symlink("out/linux_amd64", "../elsewhere");
  auto writer = OpenSubTreeWriter(tree.At("out"), "linux_amd64");
  if (writer) EXPECT_OK(Write(**writer, Entry("file", S_IFREG | 0644), "x"));
  EXPECT_FALSE(tree.Exists("elsewhere/file"));
}

}  // namespace
}  // namespace depot::files::tree_writer_test
