#include "driver/disk/read_file.h"

#include <thread>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "driver/base/fd.h"
#include "tests/unit/files/temporary_tree.h"

namespace depot::disk::read_file_test {
namespace {

TEST(ReadWholeFile, ReadsUpToTheLimit) {
  files::TemporaryTree tree;
  tree.File("file", "12345");
  tree.File("empty", "");
  EXPECT_EQ(ReadWholeFile(tree.At("file"), 5, Cancel::Never()).value(), "12345");
  EXPECT_EQ(ReadWholeFile(tree.At("empty"), 0, Cancel::Never()).value(), "");
  const auto large = ReadWholeFile(tree.At("file"), 4, Cancel::Never());
  ASSERT_FALSE(large.has_value());
  EXPECT_EQ(large.error().code(), ErrorCode::kInvalid);
  const auto missing = ReadWholeFile(tree.At("none"), 4, Cancel::Never());
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error().code(), ErrorCode::kNotFound);
  EXPECT_FALSE(ReadWholeFile(tree.root(), 4, Cancel::Never()).has_value());
  EXPECT_FALSE(ReadWholeFile("/proc/self/status", 1 << 20, Cancel::Never()).value().empty());
  EXPECT_FALSE(ReadWholeFile("/dev/zero", 1 << 20, Cancel::Never()).has_value());
  const std::string big(300'000, 'y');
  tree.File("big", big);
  EXPECT_EQ(ReadWholeFile(tree.At("big"), 1 << 20, Cancel::Never()).value(), big);
}

TEST(ReadWholeFile, APipeIsReadToItsEnd) {
  files::TemporaryTree tree;
  ASSERT_EQ(mkfifo(tree.At("pipe").c_str(), 0600), 0);
  std::thread writer([&] {
    const Fd fd(open(tree.At("pipe").c_str(), O_WRONLY));
    EXPECT_EQ(write(fd.get(), "one", 3), 3);
    EXPECT_EQ(write(fd.get(), "two", 3), 3);
  });
  EXPECT_EQ(ReadWholeFile(tree.At("pipe"), 100, Cancel::Never()).value(), "onetwo");
  writer.join();
}

TEST(ReadWholeFile, APipeThatNobodyWritesToIsNotWaitedForForEver) {
  files::TemporaryTree tree;
  ASSERT_EQ(mkfifo(tree.At("pipe").c_str(), 0600), 0);
  CancelSource source;
  source.Request(Error(ErrorCode::kCancelled, "the user said stop"));
  const auto stopped = ReadWholeFile(tree.At("pipe"), 100, source.cancel());
  ASSERT_FALSE(stopped.has_value());
  EXPECT_EQ(stopped.error().message(), "the user said stop");
  EXPECT_EQ(ReadFileIfThere(tree.At("pipe")).value(), "") << "this one never waits";
}

TEST(ReadFileIfThere, WhatIsNotThereIsNoError) {
  files::TemporaryTree tree;
  tree.File("file", "text");
  EXPECT_EQ(ReadFileIfThere(tree.At("file")).value(), "text");
  EXPECT_FALSE(ReadFileIfThere(tree.At("none")).value().has_value());
  EXPECT_FALSE(ReadFileIfThere(tree.At("file/below")).value().has_value());
  EXPECT_FALSE(ReadFileIfThere(tree.root()).has_value());
}

}  // namespace
}  // namespace depot::disk::read_file_test
