#include "driver/git/index.h"

#include <algorithm>

#include <fcntl.h>
#include <gtest/gtest.h>

#include "driver/base/encode.h"
#include "driver/base/text.h"
#include "tests/unit/files/temporary_tree.h"

namespace depot::git::index_test {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kWritten = 1'700'000'100 * kSecond + 5;
constexpr std::uint32_t kFileMode = 0100644;

std::string Big32(std::uint32_t value) {
  std::string out;
  for (int shift = 24; shift >= 0; shift -= 8)
    out += static_cast<char>(value >> shift);
  return out;
}

/// One entry as git would write it for State().
struct Entry {
  std::string path;
  std::string name = std::string(20, 'n');
  unsigned flags = 0;
  unsigned extended = 0;
  std::uint32_t mode = kFileMode;
  std::uint32_t mtime = 1'700'000'000;
};

IndexedState State() {
  IndexedState state;
  state.mode = kFileMode;
  state.inode = (1ULL << 32) + 77;
  state.size = 1234;
  state.mtime_ns = 1'700'000'000 * kSecond + 42;
  state.ctime_ns = 1'700'000'001 * kSecond + 43;
  state.uid = 1000;
  state.gid = 1001;
  return state;
}

std::string Fixed(const Entry& entry) {
  std::string out = Big32(1'700'000'001) + Big32(43) + Big32(entry.mtime) + Big32(42) + Big32(9) +
                    Big32(77) + Big32(entry.mode) + Big32(1000) + Big32(1001) + Big32(1234);
  const unsigned flags = entry.flags | (entry.extended != 0 ? 0x4000U : 0U) |
                         static_cast<unsigned>(std::min<std::size_t>(entry.path.size(), 0xfff));
  out += entry.name;
  out += static_cast<char>(flags >> 8);
  out += static_cast<char>(flags & 0xff);
  if (entry.extended != 0) {
    out += static_cast<char>(entry.extended >> 8);
    out += static_cast<char>(entry.extended & 0xff);
  }
  return out;
}

std::string IndexOf(std::uint32_t version,
                    const std::vector<Entry>& entries,
                    const std::string& extensions = "",
                    std::size_t name_size = 20) {
  std::string out = "DIRC" + Big32(version) + Big32(static_cast<std::uint32_t>(entries.size()));
  std::string before;
  for (const Entry& entry : entries) {
    std::string one = Fixed(entry);
    if (version == 4) {
      std::size_t same = 0;
      while (same < before.size() && same < entry.path.size() && before[same] == entry.path[same])
        ++same;
      // Git's numbers of several bytes: gitformat-pack(5), offset encoding.
      std::size_t drop = before.size() - same;
      std::string number(1, static_cast<char>(drop & 0x7f));
      while (drop >>= 7)
        number.insert(number.begin(), static_cast<char>(0x80 | (--drop & 0x7f)));
      one += number + entry.path.substr(same) + '\0';
      before = entry.path;
    } else {
      one += entry.path;
      one += std::string(8 - one.size() % 8, '\0');
    }
    out += one;
  }
  return out + extensions + std::string(name_size, 's');
}

std::unique_ptr<const Index> Parsed(std::string bytes, ObjectFormat format = ObjectFormat::kSha1) {
  auto index = Index::Parse(std::move(bytes), format, kWritten);
  EXPECT_TRUE(index) << (index ? "" : index.error().message());
  return index ? *std::move(index) : nullptr;
}

std::string Refusal(std::string bytes) {
  auto index = Index::Parse(std::move(bytes), ObjectFormat::kSha1, kWritten);
  EXPECT_FALSE(index);
  return index ? "" : index.error().message();
}

TEST(IndexTest, AllVersionsSayTheSame) {
  const std::string far = "src/" + std::string(300, 'x');
  for (std::uint32_t version : {2U, 3U, 4U}) {
    auto index = Parsed(IndexOf(version, {{"a"}, {"b/c", std::string(20, 'm')}, {far}, {"z"}}));
    ASSERT_TRUE(index);
    EXPECT_EQ(index->Find("a", State()), std::string(20, 'n')) << version;
    EXPECT_EQ(index->Find("b/c", State()), std::string(20, 'm')) << version;
    EXPECT_EQ(index->Find(far, State()), std::string(20, 'n')) << version;
    EXPECT_EQ(index->Find("z", State()), std::string(20, 'n')) << version;
    EXPECT_EQ(index->Find("b", State()), "") << version;
    EXPECT_EQ(index->ExtentOf("").files, 4U);
    EXPECT_EQ(index->ExtentOf("b").bytes, 1234U);
  }
}

TEST(IndexTest, LongNames) {
  auto index = Parsed(IndexOf(2, {{"a", std::string(32, 'L')}}, "", 32), ObjectFormat::kSha256);
  ASSERT_TRUE(index);
  EXPECT_EQ(index->Find("a", State()), std::string(32, 'L'));
}

TEST(IndexTest, WhateverDiffersIsNotKnown) {
  auto index = Parsed(IndexOf(2, {{"a"}}));
  ASSERT_TRUE(index);
  const auto differs = [&](auto change) {
    IndexedState state = State();
    change(state);
    return index->Find("a", state).empty();
  };
  EXPECT_FALSE(differs([](IndexedState&) {}));
  EXPECT_TRUE(differs([](IndexedState& s) { ++s.size; }));
  EXPECT_TRUE(differs([](IndexedState& s) { ++s.mtime_ns; }));
  EXPECT_TRUE(differs([](IndexedState& s) { ++s.ctime_ns; }));
  EXPECT_TRUE(differs([](IndexedState& s) { ++s.inode; }));
  EXPECT_TRUE(differs([](IndexedState& s) { ++s.uid; }));
  EXPECT_TRUE(differs([](IndexedState& s) { ++s.gid; }));
  EXPECT_TRUE(differs([](IndexedState& s) { s.mode = 0100755; }));
  EXPECT_TRUE(differs([](IndexedState& s) { s.mode = 0120777; }));
}

TEST(IndexTest, RacilyCleanIsNotKnown) {
  const auto known = [](std::uint32_t mtime) {
    IndexedState state = State();
    state.mtime_ns = mtime * kSecond + 42;
    Entry entry{"a"};
    entry.mtime = mtime;
    auto index = Parsed(IndexOf(2, {entry}));
    return index && !index->Find("a", state).empty();
  };
  EXPECT_TRUE(known(1'700'000'099));
  EXPECT_FALSE(known(1'700'000'100));
  EXPECT_FALSE(known(1'700'000'101));
}

TEST(IndexTest, EntriesThatSayNothingOfAFile) {
  Entry assumed{"a"}, staged{"b"}, skipped{"c"}, intended{"d"}, link{"e"}, submodule{"f"};
  assumed.flags = 0x8000;
  staged.flags = 0x1000;
  skipped.extended = 0x4000;
  intended.extended = 0x2000;
  link.mode = 0120000;
  submodule.mode = 0160000;
  auto index = Parsed(IndexOf(3, {assumed, staged, skipped, intended, link, submodule, {"g"}}));
  ASSERT_TRUE(index);
  EXPECT_EQ(index->ExtentOf("").files, 1U);
  EXPECT_FALSE(index->Find("g", State()).empty());
}

TEST(IndexTest, Extensions) {
  EXPECT_TRUE(Parsed(IndexOf(2, {{"a"}}, "TREE" + Big32(3) + "abc")));
  EXPECT_TRUE(Parsed(IndexOf(2, {{"a"}}, "sdir" + Big32(0))));
  for (std::uint32_t version : {2U, 4U}) {
    const std::vector<Entry> entries = {{""}, {"a"}};
    EXPECT_EQ(Refusal(IndexOf(version, entries, "link" + Big32(3) + "abc")), "the index is split");
    EXPECT_EQ(Refusal(IndexOf(version, entries)), "the index is malformed: a path");
  }
  EXPECT_NE(Refusal(IndexOf(2, {{"a"}}, "new!" + Big32(0))).find("new!"), std::string::npos);
}

TEST(IndexTest, Malformed) {
  const std::string good = IndexOf(2, {{"a"}, {"b"}});
  for (std::size_t size = 0; size + 1 < good.size() - 20; ++size)
    EXPECT_FALSE(Index::Parse(good.substr(0, size), ObjectFormat::kSha1, kWritten)) << size;
  std::string many = good;
  many.replace(8, 4, "\xff\xff\xff\xff");
  EXPECT_NE(Refusal(many).find("fewer entries"), std::string::npos);
  EXPECT_NE(Refusal(IndexOf(5, {})).find("version 5"), std::string::npos);
  std::string dropped = IndexOf(4, {{"a"}});
  dropped[12 + 62] = 5;  // of no path before
  EXPECT_NE(Refusal(dropped).find("a path"), std::string::npos);
}

TEST(BlobTest, NamesAreGits) {
  EXPECT_EQ(Hex(BlobName(ObjectFormat::kSha1, "hello\n")),
            "ce013625030ba8dba906f756967f9e9ca394464a");
  EXPECT_EQ(Hex(BlobName(ObjectFormat::kSha256, "")),
            "473a0f4c3be8a93681a267e3b1e9a7dcda1185436fe141f7749120a303721813");
  files::TemporaryTree tree;
  tree.File("f", "hello\n");
  Fd file(::open(tree.At("f").c_str(), O_RDONLY));
  auto name = BlobNameOfFile(ObjectFormat::kSha1, file.get(), 6, Cancel::Never());
  ASSERT_TRUE(name);
  EXPECT_EQ(*name, BlobName(ObjectFormat::kSha1, "hello\n"));
  EXPECT_FALSE(BlobNameOfFile(ObjectFormat::kSha1, file.get(), 5, Cancel::Never()));
  EXPECT_FALSE(BlobNameOfFile(ObjectFormat::kSha1, file.get(), 7, Cancel::Never()));
}

}  // namespace
}  // namespace depot::git::index_test
