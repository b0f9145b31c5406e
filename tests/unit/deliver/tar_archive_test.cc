#include "plugin/deliver/tar_archive.h"

#include "tests/unit/deliver/archives.h"

namespace depot::deliver::tar_archive_test {
namespace {

struct Read {
  TarMember member;
  std::string content;
};

Result<std::vector<Read>> ReadAll(const std::string& archive) {
  Fd file = FileWith(archive);
  std::vector<Read> all;
  auto visit = [&](const TarMember& member) -> Result<> {
    TRY_ASSIGN(std::string content, ReadContent(file.get(), member, 1 << 20));
    all.push_back({member, content});
    return {};
  };
  TRY(ReadTar(file.get(), visit, Cancel::Never()));
  return all;
}

std::vector<Read> Good(const std::string& archive) {
  auto all = ReadAll(archive);
  if (all) return *all;
  ADD_FAILURE() << all.error().message();
  return {};
}

void ExpectBroken(const std::string& archive) {
  auto all = ReadAll(archive);
  ASSERT_FALSE(all);
  EXPECT_EQ(all.error().code(), ErrorCode::kInvalid) << all.error().message();
}

/// What `write` makes of a writer.
template <typename Write>
std::string Archive(Write write) {
  MemoryTarget target;
  TarWriter writer(target, Cancel::Never());
  EXPECT_TRUE(write(writer));
  EXPECT_TRUE(writer.Finish());
  EXPECT_TRUE(target.ended);
  return target.bytes;
}

/// `member` of another archive, written under other names and read again.
Read Copied(const Read& from,
            const std::string& path,
            const std::string& link,
            const std::string& archive) {
  Fd file = FileWith(archive);
  auto all = Good(
      Archive([&](TarWriter& writer) { return writer.Copy(from.member, path, link, file.get()); }));
  if (all.size() == 1) return all.front();
  ADD_FAILURE() << all.size() << " members";
  return {};
}

std::string WithChecksum(std::string header) {
  header.replace(148, 8, 8, ' ');
  unsigned sum = 0;
  for (char c : header)
    sum += static_cast<unsigned char>(c);
  char digits[8];
  std::snprintf(digits, sizeof digits, "%06o", sum);
  header.replace(148, 7, std::string(digits, 7));
  return header;
}

/// A header block of old, without what TarWriter makes of it.
std::string Header(const std::string& name, char type, std::size_t size) {
  std::string header(512, '\0');
  header.replace(0, name.size(), name);
  char digits[12];
  std::snprintf(digits, sizeof digits, "%011zo", size);
  header.replace(124, 11, digits, 11);
  header[156] = type;
  header.replace(257, 8, std::string_view("ustar\00000", 8));
  return WithChecksum(std::move(header));
}

std::string Padded(std::string content) {
  content.resize((content.size() + 511) / 512 * 512, '\0');
  return content;
}

const std::string kEnd(1024, '\0');

TEST(TarArchive, GivesBackWhatWasWritten) {
  std::string content(700, 'c');
  auto all = Good(Archive([&](TarWriter& writer) -> Result<> {
    TRY(writer.AddDirectory("folder/"));
    TRY(writer.AddFile("folder/file", content));
    return writer.AddFile("empty", "");
  }));
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0].member.type, '5');
  EXPECT_EQ(all[1].member.path, "folder/file");
  EXPECT_EQ(all[1].content, content);
  EXPECT_EQ(all[2].content, "");
}

TEST(TarArchive, LongNamesAreWrittenInFull) {
  std::string path = "a/" + std::string(300, 'n');
  auto all = Good(Archive([&](TarWriter& writer) { return writer.AddFile(path, "x"); }));
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].member.path, path);
  EXPECT_EQ(all[0].content, "x");
}

TEST(TarArchive, ReadsTheLongNamesOfGnu) {
  std::string path(200, 'p');
  std::string link(150, 'l');
  auto all = Good(Header("././@LongLink", 'L', path.size() + 1) + Padded(path + '\0') +
                  Header("././@LongLink", 'K', link.size() + 1) + Padded(link + '\0') +
                  Header("short", '2', 0) + Header("next", '0', 1) + Padded("n") + kEnd);
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].member.path, path);
  EXPECT_EQ(all[0].member.link, link);
  EXPECT_EQ(all[1].member.path, "next");
  EXPECT_EQ(all[1].member.link, "");
}

TEST(TarArchive, APrefixBelongsToTheName) {
  std::string header = Header("name", '0', 0);
  header.replace(345, 6, "prefix");
  auto all = Good(WithChecksum(header) + kEnd);
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].member.path, "prefix/name");
}

TEST(TarArchive, ACopyKeepsModeTimeAndExtendedRecords) {
  std::string records = "30 mtime=1700000000.123456789\n25 SCHILY.xattr.user.a=b\n";
  std::string header = Header("file", '0', 3);
  header.replace(100, 7, "0004755");
  std::string archive = Header("pax", 'x', records.size()) + Padded(records) +
                        WithChecksum(header) + Padded("abc") + kEnd;
  auto all = Good(archive);
  ASSERT_EQ(all.size(), 1u);
  Read copy = Copied(all[0], "linux_amd64/file", "", archive);
  EXPECT_EQ(copy.member.path, "linux_amd64/file");
  EXPECT_EQ(copy.content, "abc");
  EXPECT_EQ(copy.member.header.substr(100, 7), "0004755");
  EXPECT_EQ(copy.member.extended, all[0].member.extended);
  EXPECT_EQ(copy.member.extended.at("mtime"), "1700000000.123456789");
  EXPECT_EQ(copy.member.extended.at("SCHILY.xattr.user.a"), "b");
}

TEST(TarArchive, TheSizeOfACopyIsThatOfItsContent) {
  // The record overrules the header, and a link has no content whatever its header says.
  std::string records = "10 size=3\n";
  std::string archive = Header("pax", 'x', records.size()) + Padded(records) +
                        Header("file", '0', 0) + Padded("abc") + Header("link", '1', 5) + kEnd;
  auto all = Good(archive);
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(Copied(all[0], "f", "", archive).content, "abc");
  EXPECT_EQ(Copied(all[1], "l", "f", archive).member.link, "f");
}

TEST(TarArchive, LongLinksAreCopiedInFull) {
  std::string archive = Header("link", '2', 0) + kEnd;
  auto all = Good(archive);
  ASSERT_EQ(all.size(), 1u);
  std::string target(180, 't');
  EXPECT_EQ(Copied(all[0], "link", target, archive).member.link, target);
}

TEST(TarArchive, WhatIsNotWholeIsBroken) {
  std::string archive =
      Archive([](TarWriter& writer) { return writer.AddFile("file", std::string(2000, 'x')); });
  ExpectBroken("");
  ExpectBroken(archive.substr(0, 100));
  ExpectBroken(archive.substr(0, 512 + 1000));
  ExpectBroken(archive.substr(0, 512 + 2048));
  std::string damaged = archive;
  damaged[3] = 'X';
  ExpectBroken(damaged);
}

TEST(TarArchive, RefusesHeadersThatLie) {
  ExpectBroken(Header("pax", 'x', 1 << 30) + kEnd);
  std::string nonsense = "nonsense";
  ExpectBroken(Header("pax", 'x', nonsense.size()) + Padded(nonsense) + kEnd);
  std::string too_long = "99 path=x\n";
  ExpectBroken(Header("pax", 'x', too_long.size()) + Padded(too_long) + kEnd);
  std::string huge = Header("file", '0', 0);
  huge.replace(124, 12, std::string("\xBF") + std::string(11, '\xFF'));
  ExpectBroken(WithChecksum(huge) + kEnd);
  std::string no_number = Header("file", '0', 0);
  no_number.replace(124, 11, "zzzzzzzzzzz");
  ExpectBroken(WithChecksum(no_number) + kEnd);
}

TEST(TarArchive, ReadContentIsBounded) {
  std::string archive = Archive([](TarWriter& writer) { return writer.AddFile("f", "12345"); });
  auto all = Good(archive);
  ASSERT_EQ(all.size(), 1u);
  Fd file = FileWith(archive);
  EXPECT_TRUE(ReadContent(file.get(), all[0].member, 5));
  EXPECT_FALSE(ReadContent(file.get(), all[0].member, 4));
}

}  // namespace
}  // namespace depot::deliver::tar_archive_test
