#include "driver/files/clutter.h"

#include <gtest/gtest.h>

namespace depot::files::clutter_test {
namespace {

class ClutterTest : public testing::Test {
 protected:
  void Folder(std::string path) { Put(std::move(path), S_IFDIR | 0755, 0); }
  void File(std::string path, std::int64_t size) { Put(std::move(path), S_IFREG | 0644, size); }

  Clutter clutter_;

 private:
  void Put(std::string path, std::uint32_t mode, std::int64_t size) {
    FileEntry entry;
    entry.path = std::move(path);
    entry.mode = mode;
    entry.size = size;
    clutter_.See(entry);
  }
};

TEST_F(ClutterTest, IsWhatLiesInFoldersOfThoseNames) {
  Folder(".git");
  File(".git/config", 5);
  Folder(".git/objects");
  File(".git/objects/pack", 70);
  File(".gitignore", 3);
  Folder("node_modules.old");
  File("node_modules.old/a", 1000);
  Folder("web");
  Folder("web/node_modules");
  File("web/node_modules/x", 100);
  File("web/node_modules_not", 9);
  EXPECT_EQ(clutter_.bytes(), 175u);
  EXPECT_EQ(clutter_.Names(), "web/node_modules and .git");
}

TEST_F(ClutterTest, IsWhatACacheIsTaggedAs) {
  Folder("target");
  File("target/CACHEDIR.TAG", 177);
  File("target/debug", 1000);
  Folder("tests");
  File("tests/x", 1000);
  EXPECT_EQ(clutter_.bytes(), 1000u);
  EXPECT_EQ(clutter_.Names(), "target");
}

TEST_F(ClutterTest, IsNoFileOfThatName) {
  File("CACHEDIR.TAG", 10);  // the whole context
  File("node_modules", 1000);
  File("venv", 10);
  EXPECT_EQ(clutter_.bytes(), 0u);
}

TEST_F(ClutterTest, NamesTheLargest) {
  for (const char* name : {"a", "b", "c", "d"}) {
    Folder(std::string(name) + "/.venv");
    File(std::string(name) + "/.venv/x", name[0]);
  }
  EXPECT_EQ(clutter_.Names(), "d/.venv, c/.venv, b/.venv and others");
}

}  // namespace
}  // namespace depot::files::clutter_test
