#include "driver/rpc/frame_batch.h"

#include <gtest/gtest.h>

namespace depot::rpc::frame_batch_test {
namespace {

std::string Text(const BytesList& list) {
  std::string text;
  for (const Bytes& bytes : list)
    text += bytes.view();
  return text;
}

TEST(FrameBatch, KeepsTheOrderOfCopiesAndSharedPayloads) {
  FrameBatch batch;
  std::string large(5000, 'L');
  batch.Copy("head1");
  batch.Add(Bytes(large));
  batch.Copy("head2");
  batch.Add(Bytes("short"));
  batch.Copy("head3");
  EXPECT_EQ(batch.size(), 5020u);
  BytesList pieces = batch.Take();
  EXPECT_EQ(Text(pieces), "head1" + large + "head2shorthead3");
  EXPECT_EQ(pieces.size(), 3u);
}

TEST(FrameBatch, SharesALargePayloadAndCopiesASmallOne) {
  FrameBatch batch;
  auto large = std::make_shared<std::string>(300, 'L');
  auto small = std::make_shared<std::string>(200, 's');
  batch.Add(Bytes(large, *large));
  batch.Add(Bytes(small, *small));
  BytesList pieces = batch.Take();
  ASSERT_EQ(pieces.size(), 2u);
  EXPECT_EQ(pieces[0].view().data(), large->data());
  EXPECT_NE(pieces[1].view().data(), small->data());
}

TEST(FrameBatch, IsEmptyAfterTake) {
  FrameBatch batch;
  EXPECT_TRUE(batch.Take().empty());
  batch.Copy("x");
  EXPECT_EQ(Text(batch.Take()), "x");
  EXPECT_EQ(batch.size(), 0u);
  EXPECT_TRUE(batch.Take().empty());
}

TEST(FrameBatch, PiecesThatWereTakenStayWhatTheyAreWhileItIsFilledAgain) {
  FrameBatch batch;
  std::vector<BytesList> taken;
  std::string wanted;
  for (int i = 0; i < 5000; ++i) {
    std::string frame = "frame " + std::to_string(i) + std::string(i % 90, '.') + ';';
    wanted += frame;
    batch.Copy(frame);
    if (i % 7 == 0) taken.push_back(batch.Take());
  }
  taken.push_back(batch.Take());
  std::string got;
  for (const BytesList& pieces : taken)
    got += Text(pieces);
  EXPECT_EQ(got, wanted);
}

TEST(FrameBatch, TakesACopyLargerThanItsArena) {
  FrameBatch batch;
  std::string huge(100'000, 'h');
  batch.Copy("a");
  batch.Copy(huge);
  batch.Copy("z");
  EXPECT_EQ(Text(batch.Take()), "a" + huge + "z");
}

}  // namespace
}  // namespace depot::rpc::frame_batch_test
