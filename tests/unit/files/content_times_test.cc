#include "driver/files/content_times.h"

#include <map>

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "driver/base/text.h"
#include "tests/unit/files/temporary_tree.h"

namespace depot::files::content_times_test {
namespace {

/// Names a content by itself, and knows what it is told to know.
class FakeNames final : public ContentNames {
 public:
  std::string_view Known(const FileEntry& entry) const override {
    auto found = known.find(entry.path);
    return found == known.end() ? std::string_view() : std::string_view(found->second);
  }

  Result<std::string> Read(int file, std::int64_t size, const Cancel&) const override {
    ++reads;
    if (during_read) during_read();
    std::string content(static_cast<std::size_t>(size), '\0');
    if (::pread(file, content.data(), content.size(), 0) != size) {
      return Fail(ErrorCode::kInvalid, "changed");
    }
    return Of(content);
  }

  std::string Of(std::string_view text) const override {
    return Cat(text, ".......", text.size(), "........");
  }

  std::map<std::string, std::string> known;
  std::function<void()> during_read;
  mutable int reads = 0;
};

class ContentTimesTest : public testing::Test {
 protected:
  std::map<std::string, FileEntry> Walk(bool marked = true) {
    auto plain = OpenDirectoryTree(tree_.root());
    EXPECT_TRUE(plain);
    content_ = MakeContentTimesTree(*std::move(plain), names_, tally_);
    return Again(marked);
  }

  std::map<std::string, FileEntry> Again(bool marked = true) {
    TreeFilter filter;
    if (marked) filter.exclude.emplace_back(kContentTimesMark);
    std::map<std::string, FileEntry> entries;
    auto visit = [&](FileEntry entry) -> Result<> {
      entries[entry.path] = entry;
      return {};
    };
    EXPECT_TRUE(content_->Walk(filter, visit, Cancel::Never()));
    return entries;
  }

  TemporaryTree tree_;
  std::shared_ptr<FakeNames> names_ = std::make_shared<FakeNames>();
  std::shared_ptr<ContentTally> tally_ = std::make_shared<ContentTally>();
  std::unique_ptr<FileTree> content_;
};

TEST_F(ContentTimesTest, EqualContentsHaveOneTime) {
  tree_.File("a", "same one");
  tree_.File("b", "same one");
  tree_.File("c", "another");
  auto entries = Walk();
  EXPECT_EQ(entries["a"].mtime_ns, entries["b"].mtime_ns);
  EXPECT_NE(entries["a"].mtime_ns, entries["c"].mtime_ns);
  EXPECT_EQ(entries["a"].mtime_ns, ContentTime(names_->Of("same one")));
  EXPECT_TRUE(entries["a"].bound);
}

TEST_F(ContentTimesTest, WithoutTheMarkTheyAreTheFiles) {
  tree_.File("a", "same one");
  struct stat info {};
  ASSERT_EQ(::stat(tree_.At("a").c_str(), &info), 0);
  auto entries = Walk(false);
  EXPECT_EQ(entries["a"].mtime_ns, Nanoseconds(info.st_mtim));
  EXPECT_FALSE(entries["a"].bound);
  EXPECT_EQ(names_->reads, 0);
}

TEST_F(ContentTimesTest, WhatIsKnownIsNotRead) {
  tree_.File("a", "same one");
  names_->known["a"] = "01234567";
  auto entries = Walk();
  EXPECT_EQ(entries["a"].mtime_ns, ContentTime("01234567"));
  EXPECT_TRUE(entries["a"].bound);
  EXPECT_EQ(names_->reads, 0);
  EXPECT_EQ(tally_->known, 1U);
}

TEST_F(ContentTimesTest, ALaterNameHasTheTimeOfTheFirst) {
  tree_.File("a", "same one");
  ASSERT_EQ(::link(tree_.At("a").c_str(), tree_.At("b").c_str()), 0);
  auto entries = Walk();
  EXPECT_EQ(entries["b"].linkname, "a");
  EXPECT_EQ(entries["a"].mtime_ns, entries["b"].mtime_ns);
  EXPECT_EQ(names_->reads, 1);
}

TEST_F(ContentTimesTest, ALinksTimeIsThatOfItsTarget) {
  ASSERT_EQ(::symlink("x", tree_.At("l").c_str()), 0);
  ASSERT_EQ(::symlink("x", tree_.At("m").c_str()), 0);
  ASSERT_EQ(::symlink("y", tree_.At("n").c_str()), 0);
  auto entries = Walk();
  EXPECT_EQ(entries["l"].mtime_ns, entries["m"].mtime_ns);
  EXPECT_NE(entries["l"].mtime_ns, entries["n"].mtime_ns);
}

TEST_F(ContentTimesTest, OneThatChangesWhileItIsReadHasATimeOfItsOwn) {
  tree_.File("a", "12345678");
  int count = 0;
  names_->during_read = [&] { tree_.File("a", Cat("1234567", ++count % 10)); };
  auto first = Walk();
  auto second = Again();
  EXPECT_FALSE(first["a"].bound);
  EXPECT_NE(first["a"].mtime_ns, second["a"].mtime_ns);
}

TEST_F(ContentTimesTest, DistrustedOnesToo) {
  tree_.File("a", "12345678");
  auto first = Walk();
  content_->Distrust("a");
  EXPECT_TRUE(tally_->distrusted);
  auto second = Again();
  auto third = Again();
  EXPECT_NE(first["a"].mtime_ns, second["a"].mtime_ns);
  EXPECT_NE(second["a"].mtime_ns, third["a"].mtime_ns);
  EXPECT_FALSE(second["a"].bound);
}

TEST_F(ContentTimesTest, AfterOneIsDistrustedOnlyWhatIsKnownIsBound) {
  tree_.File("a", "12345678");
  tree_.File("b", "12345678");
  EXPECT_TRUE(Walk()["b"].bound);
  content_->Distrust("a");
  auto second = Again();
  EXPECT_FALSE(second["b"].bound);
  EXPECT_NE(second["b"].mtime_ns, Again()["b"].mtime_ns);
}

TEST_F(ContentTimesTest, TimesAreOfThisCentury) {
  constexpr std::int64_t kYear = 31'556'952LL * 1'000'000'000;
  for (std::string_view name : {std::string_view("\0\0\0\0\0\0\0\0", 8),
                                std::string_view("\xff\xff\xff\xff\xff\xff\xff\xff", 8)}) {
    EXPECT_GE(ContentTime(name), 946'684'800LL * 1'000'000'000);
    EXPECT_LT(ContentTime(name), 39 * kYear);
  }
}

}  // namespace
}  // namespace depot::files::content_times_test
