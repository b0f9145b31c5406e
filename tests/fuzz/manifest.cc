#include "driver/oci/manifest.h"

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "driver/oci/digest.h"

// Manifests, indexes and image configs, as registries and builders send them.

namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

void CheckDescriptor(const depot::Descriptor& one) {
  Require(depot::IsDigest(one.digest));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  auto index = depot::ParseIndex(bytes);
  auto manifest = depot::ParseManifest(bytes);
  // Whoever reads one and the same content in two ways is deceived (CVE-2021-41190).
  if (index && manifest) Require(index->manifests.empty() && manifest->layers.empty());
  if (index) {
    for (const auto& one : index->manifests)
      CheckDescriptor(one);
  }
  if (manifest) {
    CheckDescriptor(manifest->config);
    for (const auto& one : manifest->layers)
      CheckDescriptor(one);
  }
  (void)depot::OwnMediaType(bytes);
  (void)depot::PlatformOfConfig(bytes);
  return 0;
}
