#include "driver/registry/merge_index.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "driver/oci/digest.h"
#include "driver/oci/manifest.h"
#include "driver/oci/tag_rules.h"

// What a registry says that a tag names, merged with an image of ours.

namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

depot::registry::AssembledIndex Ours() {
  depot::Descriptor image =
      depot::MakeDescriptor(depot::kOciManifestType, depot::DigestOf("ours"), 4);
  depot::Json platform = depot::Json::Object();
  platform.Set("os", depot::Json::String("linux"));
  platform.Set("architecture", depot::Json::String("amd64"));
  depot::SetPlatform(image, platform);
  return *depot::registry::AssembleIndex({image}, {}, {});
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const depot::registry::AssembledIndex ours = Ours();
  auto present = depot::ParseIndex({reinterpret_cast<const char*>(data), size});
  if (!present) return 0;
  const auto pipeline = depot::PipelineOf(present->annotations);
  if (pipeline) Require(pipeline->number > 0 && pipeline->number < 1'000'000'000'000'000'000);
  auto merged = depot::registry::MergeIndex(*present, ours, {});
  if (!merged) return 0;
  auto read = depot::ParseIndex(merged->bytes);
  Require(read.has_value());
  // It has ours, and nobody needs to put it there once more.
  Require(depot::registry::HoldsOurs(*read, ours, depot::registry::ImagesFor(*present, ours)));
  auto again = depot::registry::MergeIndex(*read, ours, {});
  Require(again && again->digest == merged->digest);
  return 0;
}
