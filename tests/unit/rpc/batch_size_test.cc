#include "driver/rpc/batch_size.h"

#include <gtest/gtest.h>

namespace depot::rpc::batch_size_test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

BatchSize Grown() {
  BatchSize size;
  for (int i = 0; i < 10; ++i)
    size.Taken(size.limit(), milliseconds(1));
  return size;
}

TEST(BatchSize, StartsSmall) {
  EXPECT_EQ(BatchSize().limit(), BatchSize::kSmallest);
}

TEST(BatchSize, DoublesOnAFastLinkUpToItsLargest) {
  BatchSize size;
  size.Taken(size.limit(), milliseconds(1));
  EXPECT_EQ(size.limit(), 2 * BatchSize::kSmallest);
  size.Taken(size.limit() + 9, milliseconds(1));
  EXPECT_EQ(size.limit(), 4 * BatchSize::kSmallest);
  EXPECT_EQ(Grown().limit(), BatchSize::kLargest);
}

TEST(BatchSize, LearnsNothingFromABatchThatWasNotFull) {
  BatchSize size;
  size.Taken(size.limit() - 1, milliseconds(1));
  EXPECT_EQ(size.limit(), BatchSize::kSmallest);
}

TEST(BatchSize, HalvesOnASlowLinkDownToItsSmallest) {
  BatchSize size = Grown();
  size.Taken(size.limit(), seconds(1));
  EXPECT_EQ(size.limit(), BatchSize::kLargest / 2);
  for (int i = 0; i < 10; ++i)
    size.Taken(size.limit(), seconds(1));
  EXPECT_EQ(size.limit(), BatchSize::kSmallest);
}

TEST(BatchSize, HalvesWhenEvenALittleHadToWait) {
  BatchSize size = Grown();
  size.Taken(20, seconds(1));
  EXPECT_EQ(size.limit(), BatchSize::kLargest / 2);
}

TEST(BatchSize, StaysWhereABatchTakesTheLinkATenthOfASecond) {
  BatchSize size = Grown();
  size.Taken(size.limit(), milliseconds(60));
  EXPECT_EQ(size.limit(), BatchSize::kLargest);
}

/// Batches on a link of `rate` bytes a second: where the size comes to rest.
std::size_t Settled(std::size_t rate) {
  BatchSize size;
  for (int i = 0; i < 20; ++i)
    size.Taken(size.limit(), milliseconds(size.limit() * 1000 / rate));
  return size.limit();
}

TEST(BatchSize, FollowsTheLink) {
  EXPECT_EQ(Settled(100 << 10), BatchSize::kSmallest);
  EXPECT_EQ(Settled(4 << 20), 128u << 10);
  EXPECT_EQ(Settled(1 << 30), BatchSize::kLargest);
}

}  // namespace
}  // namespace depot::rpc::batch_size_test
