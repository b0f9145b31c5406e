#include "driver/rpc/huffman.h"

#include <vector>

#include <gtest/gtest.h>
#include <nghttp2/nghttp2.h>

namespace depot::rpc::huffman_test {
namespace {

/// A header value as nghttp2 packs it: eight times each of these bytes, behind a text that is
/// shorter when packed, since a value that is not stays as it is.
std::string PackedByLibrary(const std::string& value) {
  nghttp2_hd_deflater* deflater = nullptr;
  nghttp2_hd_deflate_new(&deflater, 0);
  std::string name = "x";
  std::string copy = value;
  auto bytes = [](std::string& text) { return reinterpret_cast<std::uint8_t*>(text.data()); };
  nghttp2_nv header{bytes(name), bytes(copy), 1, copy.size(), NGHTTP2_NV_FLAG_NONE};
  std::string block(value.size() * 4 + 100, '\0');
  ssize_t size = nghttp2_hd_deflate_hd(deflater, bytes(block), block.size(), &header, 1);
  nghttp2_hd_deflate_del(deflater);
  block.resize(static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  // Of a table size, the kind of header, its name's length and name, and the length in three bytes.
  std::size_t at = block.find('\xFF') + 1;
  while (static_cast<unsigned char>(block.at(at)) >= 0x80)
    ++at;
  return block.substr(at + 1);
}

TEST(Huffman, EveryByteOfTheLibrary) {
  for (int byte = 0; byte < 256; ++byte) {
    const std::string value =
        std::string(2000, 'a') + std::string(8, static_cast<char>(byte)) + 'z';
    const std::string packed = PackedByLibrary(value);
    ASSERT_LT(packed.size(), value.size()) << byte;
    EXPECT_EQ(UnpackHuffman(packed), value) << byte;
  }
}

TEST(Huffman, TheExampleOfTheStandard) {
  EXPECT_EQ(UnpackHuffman("\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff"), "www.example.com");
  EXPECT_EQ(UnpackHuffman(""), "");
}

TEST(Huffman, WhatIsDamaged) {
  EXPECT_EQ(UnpackHuffman("\xff"), std::nullopt);              // filling alone
  EXPECT_EQ(UnpackHuffman("\xff\xff\xff\xff"), std::nullopt);  // the end of all
  EXPECT_EQ(UnpackHuffman("\x18"), std::nullopt);              // filled up with zeros
  EXPECT_EQ(UnpackHuffman("\x1f"), "a");
}

}  // namespace
}  // namespace depot::rpc::huffman_test
