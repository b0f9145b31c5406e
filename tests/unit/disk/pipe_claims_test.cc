#include "driver/disk/pipe_claims.h"

#include <fstream>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "driver/base/fd.h"
#include "driver/base/text.h"
#include "driver/disk/temporary_folder.h"

namespace depot::disk::pipe_claims_test {
namespace {

TEST(PipeClaims, APipeIsForOneAndAllElseForAll) {
  const auto folder = TemporaryFolder::Make(testing::TempDir());
  ASSERT_TRUE(folder);
  const std::string pipe = Cat(folder->path(), "/pipe");
  const std::string other = Cat(folder->path(), "/other");
  const std::string file = Cat(folder->path(), "/file");
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  ASSERT_EQ(::mkfifo(other.c_str(), 0600), 0);
  std::ofstream(file) << "text";

  PipeClaims claims;
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(claims.Claim(file));
    EXPECT_TRUE(claims.Claim(Cat(folder->path(), "/nothing")));
    EXPECT_TRUE(claims.Claim(-1));
  }
  EXPECT_TRUE(claims.Claim(pipe));
  EXPECT_FALSE(claims.Claim(pipe));
  EXPECT_TRUE(claims.Claim(other));
  // The same one by another name.
  const Fd open(::open(pipe.c_str(), O_RDWR | O_CLOEXEC));
  EXPECT_FALSE(claims.Claim(open.get()));
  EXPECT_FALSE(claims.Claim(Cat("/proc/self/fd/", open.get())));
  EXPECT_TRUE(PipeClaims().Claim(open.get()));
}

}  // namespace
}  // namespace depot::disk::pipe_claims_test
