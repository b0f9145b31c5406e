#include "driver/disk/lookup.h"

#include <filesystem>

#include <gtest/gtest.h>

#include "driver/disk/whole_file.h"
#include "driver/files/tree_writer.h"
#include "tests/unit/files/temporary_tree.h"

namespace depot::files::lookup_test {
namespace {

namespace fs = std::filesystem;

/// `sources` is the working directory; `outside` lies beside it.
class LookupTest : public testing::Test {
 protected:
  LookupTest() : before_(fs::current_path()), root_(fs::canonical(tree_.root())) {
    tree_.File("outside/secret", "not yours");
    tree_.File("sources/context/file", "plain");
    tree_.File("sources/beside/file", "beside");
    fs::current_path(root_ / "sources");
  }
  ~LookupTest() override { fs::current_path(before_); }

  void Link(const std::string& path, const std::string& target) {
    tree_.Symlink("sources/" + path, target);
  }

  std::string Read(const std::string& path, const std::string& context = "context") {
    auto bounds = disk::BoundsOf(path, {(root_ / "sources" / context).string()});
    if (!bounds) return bounds.error().message();
    auto found = disk::Lookup(*bounds);
    if (!found) return found.error().message();
    auto fd = found->Open();
    return fd ? ReadFd(*fd) : fd.error().message();
  }

  std::string Refusal(const std::string& link, const std::string& target, const std::string& root) {
    return (root_ / link).string() + " is a symbolic link to " + target + ", which is outside of " +
           (root_ / root).string();
  }

  TemporaryTree tree_;
  fs::path before_;
  fs::path root_;
};

TEST_F(LookupTest, LinksWithinTheRootAreFollowed) {
  Link("context/link", "sub/../other");
  Link("context/other", "./file");
  Link("context/sub/up", "../file");
  Link("context/directory", "sub");
  Link("context/absolute", (root_ / "sources/context/file").string());
  for (const char* path : {"context/file", "context/link", "context/directory/up",
                           "context/absolute", "./context//sub/../file"}) {
    EXPECT_EQ(Read(path), "plain") << path;
  }
  auto bounds = disk::BoundsOf("context/absolute", {(root_ / "sources/context").string()});
  auto found = disk::Lookup(*bounds);
  ASSERT_TRUE(found);
  EXPECT_TRUE(found->by_absolute_link());
  EXPECT_EQ(found->path(), (root_ / "sources/context/file").string());
}

TEST_F(LookupTest, LinksOutOfTheContextAreRefusedAndNamed) {
  Link("context/relative", "../beside/file");
  Link("context/absolute", "/proc/self/environ");
  Link("context/sub/deep", "../../../outside/secret");
  Link("context/directory", "../../outside");
  Link("context/chain", "relative");
  EXPECT_EQ(Read("context/relative"),
            Refusal("sources/context/relative", "../beside/file", "sources/context"));
  EXPECT_EQ(Read("context/absolute"),
            Refusal("sources/context/absolute", "/proc/self/environ", "sources/context"));
  EXPECT_EQ(Read("context/sub/deep"),
            Refusal("sources/context/sub/deep", "../../../outside/secret", "sources/context"));
  EXPECT_EQ(Read("context/directory/secret"),
            Refusal("sources/context/directory", "../../outside", "sources/context"));
  EXPECT_EQ(Read("context/chain"),
            Refusal("sources/context/relative", "../beside/file", "sources/context"));
  // The same, however the path was typed.
  EXPECT_EQ(Read((root_ / "sources/context/absolute").string()),
            Refusal("sources/context/absolute", "/proc/self/environ", "sources/context"));
}

TEST_F(LookupTest, BesideTheContextTheWorkingDirectoryIsTheRoot) {
  Link("beside/in", "../context/file");
  Link("beside/out", "../../outside/secret");
  EXPECT_EQ(Read("beside/in"), "plain");
  EXPECT_EQ(Read("beside/out"), Refusal("sources/beside/out", "../../outside/secret", "sources"));
}

TEST_F(LookupTest, ARelativePathUpwardStaysInWhatItSharesWithTheWorkingDirectory) {
  Link("beside/in", "../context/file");
  Link("beside/out", "/proc/self/environ");
  fs::current_path(root_ / "sources/context");
  EXPECT_EQ(Read("../beside/in"), "plain");
  EXPECT_EQ(Read("../beside/out"), Refusal("sources/beside/out", "/proc/self/environ", "sources"));
}

TEST_F(LookupTest, AnAbsolutePathElsewhereIsTheUsersOwn) {
  tree_.Symlink("outside/link", "../sources/context/file");
  EXPECT_EQ(Read((root_ / "outside/secret").string()), "not yours");
  EXPECT_EQ(Read((root_ / "outside/link").string()), "plain");
  EXPECT_NE(Read("/proc/self/environ"), "");
}

TEST_F(LookupTest, NobodyMeansALinkIntoProc) {
  tree_.Symlink("outside/link", "/proc/self/environ");
  const std::string path = (root_ / "outside/link").string();
  EXPECT_EQ(Read(path), path + " is a symbolic link into /proc");
}

TEST_F(LookupTest, AContextBehindALinkOfTheUsersIsTheSame) {
  tree_.Symlink("real", "sources");
  Link("context/out", "../beside/file");
  EXPECT_EQ(Read((root_ / "real/context/out").string()),
            Refusal("sources/context/out", "../beside/file", "sources/context"));
}

TEST_F(LookupTest, LoopsAndWhatIsMissingAreToldApart) {
  Link("context/loop", "loop");
  Link("context/nowhere", "missing");
  EXPECT_NE(Read("context/loop").find("too many levels"), std::string::npos);
  auto bounds = disk::BoundsOf("context/nowhere", {});
  EXPECT_EQ(disk::Lookup(*bounds).error().code(), ErrorCode::kNotFound);
  bounds = disk::BoundsOf("context/file/below", {});
  EXPECT_EQ(disk::Lookup(*bounds).error().code(), ErrorCode::kNotFound);
}

TEST_F(LookupTest, PlacesToWriteToStayWithinTheirBounds) {
  Link("out", "../outside");
  Link("deep/link", "../../outside/new");
  Link("inside", "deep");
  for (const char* path : {"out", "out/new/folder", "deep/link"}) {
    auto within = disk::CheckWithin(path);
    ASSERT_FALSE(within) << path;
    EXPECT_NE(within.error().message().find("is a symbolic link to ../"), std::string::npos);
    EXPECT_FALSE(disk::OpenWholeFile(path, true)) << path;
    EXPECT_FALSE(OpenTreeWriter(path)) << path;
  }
  EXPECT_FALSE(tree_.Exists("outside/new"));
  EXPECT_TRUE(disk::CheckWithin("inside/file"));
  EXPECT_TRUE(disk::CheckWithin("new/folder"));
  EXPECT_TRUE(disk::CheckWithin((root_ / "outside/new").string()));
}

TEST_F(LookupTest, FilesBelowADirectoryAreReadWithoutLeavingIt) {
  const std::string context = (root_ / "sources/context").string();
  Link("context/out", "../../outside/secret");
  ASSERT_EQ(mkfifo((context + "/pipe").c_str(), 0600), 0);
  EXPECT_EQ(disk::ReadBeneath(context, "file", 100).value_or(""), "plain");
  EXPECT_EQ(disk::ReadBeneath(context, "file", 2).error().code(), ErrorCode::kInvalid);
  EXPECT_EQ(disk::ReadBeneath(context, "none", 100).error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(disk::ReadBeneath(context, "out", 100).error().code(), ErrorCode::kDenied);
  EXPECT_EQ(disk::ReadBeneath(context, "pipe", 100).error().message(),
            context + "/pipe is not a regular file");
}

}  // namespace
}  // namespace depot::files::lookup_test
