#include "plugin/deliver/described_image.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "driver/base/text.h"
#include "driver/oci/digest.h"
#include "tests/fuzz/pieces.h"

// An index with its manifests and configurations, as a builder sends them to be loaded. The first
// piece is the top; in each, "@1" to "@9" is the digest of the piece so far behind it.

namespace {

using depot::fuzz::Expect;
using Contents = std::map<std::string, std::string>;

std::string WithDigests(std::string text, const std::vector<std::string>& later) {
  for (std::size_t i = 0; i < later.size() && i < 9; ++i) {
    const std::string mark = depot::Cat("@", i + 1);
    const std::string& digest = later[later.size() - 1 - i];
    for (std::size_t at = text.find(mark); at != std::string::npos; at = text.find(mark, at))
      text.replace(at, mark.size(), digest);
  }
  return text;
}

void CheckImage(const depot::deliver::DescribedImage& image) {
  for (const depot::deliver::ImagePart& part : image.parts) {
    Expect(depot::DigestOf(part.bytes) == part.descriptor.digest);
    Expect(depot::DigestOf(part.config) == part.manifest.config.digest);
    Expect(part.attests || part.diff_ids.size() == part.manifest.layers.size());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::vector<std::string> texts;
  depot::fuzz::Pieces pieces(data, size);
  while (auto piece = pieces.Next())
    texts.emplace_back(*piece);
  if (texts.empty()) return 0;
  Contents contents;
  std::vector<std::string> digests;
  for (auto text = texts.rbegin(); text != texts.rend(); ++text) {
    const std::string bytes = WithDigests(*text, digests);
    digests.push_back(depot::DigestOf(bytes));
    contents[digests.back()] = bytes;
  }
  const depot::deliver::ReadDescription read =
      [&](const std::string& digest) -> depot::Result<std::string> {
    auto found = contents.find(digest);
    if (found != contents.end()) return found->second;
    return depot::Fail(depot::ErrorCode::kNotFound, "not there");
  };
  (void)depot::deliver::TopOf(digests, read);
  const std::string& top = contents[digests.back()];
  auto image = depot::deliver::DescribeImage(
      depot::MakeDescriptor(depot::OwnMediaType(top), digests.back(), top.size()), read);
  if (!image) return 0;
  CheckImage(*image);
  const depot::Platform own{"linux", "amd64", ""};
  if (auto only = depot::deliver::OnlyPart(*image, own)) CheckImage(*only);
  auto joined = depot::deliver::JoinImages({*image}, {own}, {});
  if (!joined) return 0;
  Expect(depot::DigestOf(joined->index) == joined->top.digest && depot::ParseIndex(joined->index));
  CheckImage(*joined);
  return 0;
}
