#include "driver/session/layout_store.h"

#include <filesystem>

#include <gtest/gtest.h>
#include <sys/file.h>

#include "temporary_directory.h"

#include "driver/base/text.h"
#include "driver/oci/digest.h"

namespace depot::session::layout_store_test {
namespace {

namespace fs = std::filesystem;

std::string BlobName(const std::string& content) {
  return "blobs/sha256/" + Sha256Hex(content);
}

Descriptor DescriptorOf(const std::string& content) {
  Json json = Json::Object();
  json.Set("mediaType", Json::String(kOciIndexType));
  json.Set("digest", Json::String(DigestOf(content)));
  json.Set("size", Json::Number(static_cast<std::int64_t>(content.size())));
  return *ReadDescriptor(json);
}

void Add(LayoutStore& store, const std::string& content) {
  auto writer = store.Begin({});
  ASSERT_TRUE(writer) << writer.error().message();
  ASSERT_TRUE((*writer)->Write(content, Cancel::Never()));
  ASSERT_TRUE((*writer)->Commit(DigestOf(content), Cancel::Never()));
}

std::string Tagged(const LayoutStore& store, const std::string& tag) {
  auto index = store.ReadIndex();
  if (!index) return index.error().message();
  const Descriptor* found = FindNamed(*index, tag);
  return found == nullptr ? "" : found->digest;
}

TEST(LayoutStore, WhatIsWrittenCanBeRead) {
  TemporaryDirectory folder;
  auto store = LayoutStore::OpenToWrite(folder / "a/cache");
  ASSERT_TRUE(store) << store.error().message();
  Add(**store, "some content");
  EXPECT_EQ(folder.Read("a/cache/" + BlobName("some content")), "some content");
  EXPECT_EQ(*(*store)->Size(DigestOf("some content")), 12);
  auto blob = (*store)->Open(DigestOf("some content"));
  ASSERT_TRUE(blob);
  char bytes[16];
  EXPECT_EQ(*(*blob)->ReadAt(5, bytes, sizeof bytes, Cancel::Never()), 7U);
  EXPECT_EQ(std::string(bytes, 7), "content");
  auto list = (*store)->List();
  ASSERT_EQ(list->size(), 1U);
  EXPECT_EQ((*list)[0].digest, DigestOf("some content"));
}

TEST(LayoutStore, AnUnfinishedBlobLeavesNothing) {
  TemporaryDirectory folder;
  auto store = LayoutStore::OpenToWrite(folder.path());
  {
    auto writer = (*store)->Begin({});
    ASSERT_TRUE((*writer)->Write("half", Cancel::Never()));
  }
  EXPECT_TRUE(fs::is_empty(folder / "blobs/sha256"));
}

TEST(LayoutStore, AMissingFolderIsNotMadeForReading) {
  TemporaryDirectory folder;
  auto store = LayoutStore::OpenToRead(folder / "cache");
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code(), ErrorCode::kNotFound);
  EXPECT_FALSE(fs::exists(folder / "cache"));
}

TEST(LayoutStore, ForReadingTakesNothing) {
  TemporaryDirectory folder;
  auto store = LayoutStore::OpenToRead(folder.path());
  EXPECT_EQ((*store)->Begin({}).error().code(), ErrorCode::kDenied);
  EXPECT_EQ((*store)->Put(DescriptorOf("x"), {{"latest"}}, Cancel::Never()).error().code(),
            ErrorCode::kDenied);
  EXPECT_TRUE(fs::is_empty(folder.path()));
}

TEST(LayoutStore, AFileIsNoFolder) {
  TemporaryDirectory folder;
  folder.Write("cache", "");
  EXPECT_EQ(LayoutStore::OpenToRead(folder / "cache").error().code(), ErrorCode::kInvalid);
  EXPECT_FALSE(LayoutStore::OpenToWrite(folder / "cache"));
}

TEST(LayoutStore, TagsAreReplacedAndOthersKept) {
  TemporaryDirectory folder;
  auto store = LayoutStore::OpenToWrite(folder.path());
  ASSERT_TRUE((*store)->Put(DescriptorOf("one"), {{"latest"}}, Cancel::Never()));
  ASSERT_TRUE((*store)->Put(DescriptorOf("two"), {{"main"}}, Cancel::Never()));
  ASSERT_TRUE((*store)->Put(DescriptorOf("three"), {{"latest"}}, Cancel::Never()));
  EXPECT_EQ(Tagged(**store, "latest"), DigestOf("three"));
  EXPECT_EQ(Tagged(**store, "main"), DigestOf("two"));
  EXPECT_EQ((*store)->ReadIndex()->manifests.size(), 2U);
  EXPECT_EQ(folder.Read("oci-layout"), R"({"imageLayoutVersion":"1.0.0"})");
  EXPECT_FALSE(fs::exists(folder / "index.json.lock"));
}

TEST(LayoutStore, AnImageNameCountsBeforeATag) {
  TemporaryDirectory folder;
  auto store = LayoutStore::OpenToWrite(folder.path());
  ASSERT_TRUE(
      (*store)->Put(DescriptorOf("a"), {{"1", "docker.io/library/app:1"}}, Cancel::Never()));
  ASSERT_TRUE((*store)->Put(DescriptorOf("b"), {{"docker.io/library/app:1"}}, Cancel::Never()));
  EXPECT_EQ(Tagged(**store, "docker.io/library/app:1"), DigestOf("a"));
  EXPECT_EQ(Tagged(**store, "1"), DigestOf("a"));
}

TEST(LayoutStore, AMalformedIndexStaysAsItIs) {
  TemporaryDirectory folder;
  folder.Write("index.json", "{\"manifests\": 7}");
  auto store = LayoutStore::OpenToWrite(folder.path());
  auto read = (*store)->ReadIndex();
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code(), ErrorCode::kInvalid);
  EXPECT_NE(read.error().message().find("index.json"), std::string::npos);
  EXPECT_FALSE((*store)->Put(DescriptorOf("x"), {{"latest"}}, Cancel::Never()));
  EXPECT_EQ(folder.Read("index.json"), "{\"manifests\": 7}");
}

TEST(LayoutStore, WaitsForWhoeverHasTheIndex) {
  TemporaryDirectory folder;
  auto store = LayoutStore::OpenToWrite(folder.path());
  folder.Write("index.json.lock", "");
  std::FILE* other = std::fopen((folder / "index.json.lock").c_str(), "r");
  ASSERT_EQ(::flock(fileno(other), LOCK_EX), 0);
  Cancel soon = Cancel::Never().WithTimeout(std::chrono::milliseconds(50), "the test");
  Result<> put = (*store)->Put(DescriptorOf("x"), {{"latest"}}, soon);
  ASSERT_FALSE(put);
  EXPECT_EQ(put.error().code(), ErrorCode::kTimeout);
  EXPECT_FALSE(fs::exists(folder / "index.json"));
  std::fclose(other);
  EXPECT_TRUE((*store)->Put(DescriptorOf("x"), {{"latest"}}, Cancel::Never()));
}

TEST(LayoutStore, LinksDoNotLeadOut) {
  TemporaryDirectory folder;
  folder.Write("secret", "of this machine");
  folder.Write("cache/blobs/sha256/none", "");
  const std::string digest = DigestOf("of this machine");
  fs::create_symlink(folder / "secret", folder / ("cache/" + BlobName("of this machine")));
  fs::create_symlink(folder / "secret", folder / "cache/index.json");
  auto store = LayoutStore::OpenToWrite(folder / "cache");
  EXPECT_EQ((*store)->Open(digest).error().code(), ErrorCode::kDenied);
  EXPECT_EQ((*store)->ReadIndex().error().code(), ErrorCode::kDenied);
  EXPECT_TRUE((*store)->List()->empty());
}

TEST(LayoutStore, BlobsAreNotWrittenThroughALink) {
  TemporaryDirectory folder;
  fs::create_directories(folder / "elsewhere/sha256");
  fs::create_directories(folder / "cache");
  fs::create_symlink(folder / "elsewhere", folder / "cache/blobs");
  auto store = LayoutStore::OpenToWrite(folder / "cache");
  EXPECT_FALSE((*store)->Begin({}));
  EXPECT_TRUE(fs::is_empty(folder / "elsewhere/sha256"));
}

}  // namespace
}  // namespace depot::session::layout_store_test
