#include "driver/rpc/huffman.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace depot::rpc {
namespace {

constexpr std::size_t kHuffmanSymbols = 257;
/// The last symbol, which no string has.
constexpr std::uint16_t kEndOfText = 256;
constexpr std::size_t kMostBits = 30;

/// How many bits the code of each symbol has, as a letter: a = 5, b = 6, ..., z = 30. The code is
/// canonical, so that this is all of it.
constexpr std::string_view kBitsOfSymbols =
    "isxxxxxxxtzxxzxxxxxxxxzxxxxxxxxxbffhibdgffdgdbbbaaabbbbbbbcdkbhf"
    "ibccccccccccccccccccccccdcdioijbkabababbbaccbbbabcbaabccccckgjix"
    "prpprrrsrssssststtrstssssqrsrsstrqprrssqsrrtqrssqqrqsrssprrrsrrs"
    "vvporsruvvvwwvtuoqvwwvwtqqvvxwwwptpqrqqsrruuttvsvwvvwwwwwxwwwwwv"
    "z";
static_assert(kBitsOfSymbols.size() == kHuffmanSymbols);

/// The codes of one length are numbers in a row, for symbols in their order.
struct CodesOfLength {
  std::uint32_t first = 0;  ///< the lowest code
  std::uint32_t count = 0;
  std::size_t symbols = 0;  ///< where their symbols begin in HuffmanCode::symbols
};

struct HuffmanCode {
  std::array<CodesOfLength, kMostBits + 1> lengths{};
  std::array<std::uint16_t, kHuffmanSymbols> symbols{};
};

constexpr HuffmanCode MakeHuffmanCode() {
  HuffmanCode code;
  std::size_t placed = 0;
  std::uint32_t next = 0;
  for (std::size_t bits = 1; bits <= kMostBits; ++bits) {
    next <<= 1;
    CodesOfLength& codes = code.lengths[bits];
    codes.first = next;
    codes.symbols = placed;
    for (std::size_t symbol = 0; symbol < kHuffmanSymbols; ++symbol) {
      if (static_cast<std::size_t>(kBitsOfSymbols[symbol] - 'a') + 5 != bits) continue;
      code.symbols[placed++] = static_cast<std::uint16_t>(symbol);
      ++codes.count;
    }
    next += codes.count;
  }
  return code;
}

constexpr HuffmanCode kHuffman = MakeHuffmanCode();

}  // namespace

std::optional<std::string> UnpackHuffman(std::string_view packed) {
  std::string text;
  text.reserve(packed.size() * 8 / 5);
  std::uint32_t seen = 0;
  std::size_t bits = 0;
  for (const char byte : packed) {
    for (int shift = 7; shift >= 0; --shift) {
      seen = seen << 1 | (static_cast<unsigned char>(byte) >> shift & 1U);
      if (++bits > kMostBits) return std::nullopt;
      const CodesOfLength& codes = kHuffman.lengths[bits];
      if (seen < codes.first || seen - codes.first >= codes.count) continue;
      const std::uint16_t symbol = kHuffman.symbols[codes.symbols + (seen - codes.first)];
      if (symbol == kEndOfText) return std::nullopt;
      text.push_back(static_cast<char>(symbol));
      seen = 0;
      bits = 0;
    }
  }
  // The last byte is filled up with ones, and no byte is filling alone.
  if (bits > 7 || seen != (1U << bits) - 1) return std::nullopt;
  return text;
}

}  // namespace depot::rpc
