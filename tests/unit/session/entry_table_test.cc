#include "driver/session/entry_table.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "driver/base/text.h"

namespace depot::session::entry_table_test {
namespace {

using Kind = EntryTable::Kind;

std::vector<std::string> ManyPaths() {
  std::vector<std::string> paths;
  for (int i = 0; i < 30; ++i) {
    paths.push_back(Cat("d", i));
    for (int j = 0; j < 30; ++j)
      paths.push_back(Cat("d", i, "/file-", j));
    paths.push_back(Cat("d", i, "-x"));
  }
  std::sort(paths.begin(), paths.end(),
            [](const auto& a, const auto& b) { return ComparePaths(a, b) < 0; });
  return paths;
}

TEST(ComparePaths, PutsADirectorysContentDirectlyBehindIt) {
  EXPECT_LT(ComparePaths("a", "a/b"), 0);
  EXPECT_LT(ComparePaths("a/b", "a-b"), 0);
  EXPECT_LT(ComparePaths("a/z", "a\x01"), 0);
  EXPECT_GT(ComparePaths("a\xFF", "ab"), 0);
  EXPECT_EQ(ComparePaths("a/b", "a/b"), 0);
}

TEST(CheckRelativePath, RefusesWhateverMayLeadOut) {
  for (std::string path :
       {"", "/", "/etc", "..", "a/..", "a/../b", "./a", "a/./b", "a//b", "a/", "../x"}) {
    EXPECT_FALSE(CheckRelativePath(path)) << path;
  }
  EXPECT_FALSE(CheckRelativePath(std::string("a\0b", 3)));
  for (std::string path : {"a", "a/b", "...", "..a/b..", "a b/\xFF"}) {
    EXPECT_TRUE(CheckRelativePath(path)) << path;
  }
}

TEST(EntryTable, GivesEveryPathBack) {
  EntryTable table;
  std::vector<std::string> paths = ManyPaths();
  for (const std::string& path : paths)
    ASSERT_TRUE(table.Add(path, Kind::kFile));
  for (std::uint32_t id = 0; id < paths.size(); ++id) {
    EXPECT_EQ(table.PathOf(id), paths[id]);
    EXPECT_EQ(table.Find(paths[id]), id);
  }
  EXPECT_EQ(table.Find("d3/file-99"), std::nullopt);
  EXPECT_EQ(table.Find(""), std::nullopt);
  EXPECT_EQ(table.Find("zzz"), std::nullopt);
}

TEST(EntryTable, LetsEachFileBeClaimedOnce) {
  EntryTable table;
  ASSERT_TRUE(table.Add("dir", Kind::kDirectory));
  ASSERT_TRUE(table.Add("dir/file", Kind::kFile));
  ASSERT_TRUE(table.Add("dir/link", Kind::kOther));
  ASSERT_TRUE(table.Add("socket", Kind::kEmptyFile));
  EXPECT_FALSE(table.Claim(0));
  EXPECT_TRUE(table.Claim(1));
  EXPECT_FALSE(table.Claim(1));
  EXPECT_EQ(table.kind(1), Kind::kFile);
  EXPECT_FALSE(table.Claim(2));
  EXPECT_TRUE(table.Claim(3));
  EXPECT_FALSE(table.Claim(4));
}

TEST(EntryTable, FindsNothingInAnEmptyTable) {
  EXPECT_EQ(EntryTable().Find("a"), std::nullopt);
}

}  // namespace
}  // namespace depot::session::entry_table_test
