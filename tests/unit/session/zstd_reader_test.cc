#include "driver/session/zstd_reader.h"

#include <algorithm>
#include <string>

#include <gtest/gtest.h>
#include <zstd.h>

namespace depot::session::zstd_reader_test {
namespace {

std::string Packed(const std::string& text) {
  std::string packed(ZSTD_compressBound(text.size()), '\0');
  packed.resize(ZSTD_compress(packed.data(), packed.size(), text.data(), text.size(), 3));
  return packed;
}

/// All that comes out, or the error.
Result<std::string> Unpack(std::string packed, std::size_t piece, std::size_t most) {
  ZstdReader reader;
  std::string out;
  std::string block(most, '\0');
  while (true) {
    TRY_ASSIGN(const std::size_t count,
               reader.Read(block.data(), block.size(),
                           [&](char* into, std::size_t size) -> Result<std::size_t> {
                             const std::size_t taken = packed.copy(into, std::min(size, piece));
                             packed.erase(0, taken);
                             return taken;
                           }));
    if (count == 0) return out;
    out.append(block, 0, count);
  }
}

TEST(ZstdReader, GivesWhatWasPackedWhateverThePieces) {
  std::string text;
  for (int i = 0; i < 20000; ++i)
    text += std::to_string(i);
  const std::string packed = Packed(text);
  EXPECT_TRUE(IsZstd(packed));
  for (std::size_t piece : {1, 1000, 1 << 20}) {
    for (std::size_t most : {7, 1 << 16}) {
      EXPECT_EQ(*Unpack(packed, piece, most), text);
    }
  }
  EXPECT_EQ(*Unpack(Packed("one") + Packed("two"), 5, 100), "onetwo");
  EXPECT_EQ(*Unpack(Packed(""), 5, 100), "");
}

TEST(ZstdReader, SaysWhatIsDamaged) {
  const std::string packed = Packed(std::string(100000, 'x') + "end");
  auto cut = Unpack(packed.substr(0, packed.size() - 3), 1000, 1000);
  ASSERT_FALSE(cut.has_value());
  EXPECT_EQ(cut.error().message(), "the zstd archive is cut off");
  std::string bad = packed;
  bad.replace(4, 6, 6, '\xff');
  auto damaged = Unpack(bad, 1000, 1000);
  ASSERT_FALSE(damaged.has_value());
  EXPECT_EQ(damaged.error().code(), ErrorCode::kInvalid);
}

}  // namespace
}  // namespace depot::session::zstd_reader_test
