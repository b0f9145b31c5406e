#include "driver/session/description_store.h"

#include <gtest/gtest.h>

#include "driver/base/text.h"
#include "driver/oci/digest.h"

namespace depot::session::description_store_test {
namespace {

BlobInfo Announced(const std::string& kind, const std::string& content) {
  const std::string digest = DigestOf(content);
  return {digest, static_cast<std::int64_t>(content.size()), Cat(kind, "-", digest)};
}

void Send(DescriptionStore& store, const std::string& kind, const std::string& content) {
  const BlobInfo info = Announced(kind, content);
  ASSERT_FALSE(store.Declines(info));
  auto writer = store.Begin(info);
  ASSERT_TRUE(writer);
  ASSERT_TRUE((*writer)->Write(content, Cancel::Never()));
  ASSERT_TRUE((*writer)->Commit(info.digest, Cancel::Never()));
}

TEST(DescriptionStore, KeepsWhatDescribesAnImage) {
  DescriptionStore store;
  Send(store, "config", "c");
  Send(store, "manifest", "m");
  Send(store, "index", "i");
  EXPECT_EQ(store.Find(DigestOf("c")), "c");
  EXPECT_EQ(store.Find(DigestOf("i")), "i");
  EXPECT_EQ(store.manifests(), (std::vector<std::string>{DigestOf("m"), DigestOf("i")}));
}

TEST(DescriptionStore, DeclinesLayersAndWhatItHas) {
  DescriptionStore store;
  EXPECT_TRUE(store.Declines(Announced("layer", "x")));
  EXPECT_FALSE(store.Declines(Announced("intoto", "x")));
  EXPECT_FALSE(store.Begin(Announced("layer", "x")));
  Send(store, "config", "c");
  EXPECT_TRUE(store.Declines(Announced("config", "c")));
  EXPECT_FALSE(store.Find(DigestOf("x")));
}

TEST(DescriptionStore, DeclinesWhatDoesNotFit) {
  DescriptionStore store;
  BlobInfo large = Announced("config", "c");
  large.size = (4 << 20) + 1;
  EXPECT_TRUE(store.Declines(large));
  large.size = 0;
  EXPECT_TRUE(store.Declines(large));
  large.size = 4 << 20;
  std::vector<std::unique_ptr<BlobWriter>> writers;
  for (int i = 0; i < 4; ++i)
    writers.push_back(*store.Begin(large));
  EXPECT_TRUE(store.Declines(Announced("manifest", "m")));
  EXPECT_FALSE(store.Begin(Announced("manifest", "m")));
  // One that is given up makes room.
  writers.pop_back();
  EXPECT_FALSE(store.Declines(Announced("manifest", "m")));
}

TEST(DescriptionStore, GivesNothingToABuilder) {
  DescriptionStore store;
  Send(store, "config", "c");
  auto blob = store.Open(DigestOf("c"));
  ASSERT_FALSE(blob);
  EXPECT_EQ(blob.error().code(), ErrorCode::kDenied);
}

}  // namespace
}  // namespace depot::session::description_store_test
