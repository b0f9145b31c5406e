#include "plugin/deliver/engine_holdings.h"

#include <algorithm>
#include <chrono>

#include "driver/oci/digest.h"

namespace depot::deliver {
namespace {

constexpr std::size_t kMaxAsked = 100;
/// An answer has some 4 KB: asking costs a small part of what it may save.
constexpr std::size_t kWorthAsking = 64 << 10;
constexpr std::chrono::seconds kMaxAsking(5);

bool SaysWhole(const docker::EngineImage& found, const DescribedImage& image) {
  return std::all_of(image.parts.begin(), image.parts.end(), [&](const ImagePart& part) {
    auto said = found.manifests.find(part.descriptor.digest);
    return found.manifests.empty() || (said != found.manifests.end() && said->second);
  });
}

/// What one image after another says about a classic store.
class ClassicHoldings {
 public:
  explicit ClassicHoldings(const ImagePart& part) : part_(part) {}

  void Learn(const docker::EngineImage& other) {
    const auto& ours = part_.diff_ids;
    const auto end =
        std::mismatch(ours.begin(), ours.end(), other.diff_ids.begin(), other.diff_ids.end());
    shared_ = std::max(shared_, static_cast<std::size_t>(end.first - ours.begin()));
  }

  /// The bytes of what is not known to be there.
  std::size_t Missing() const {
    std::size_t bytes = 0;
    for (std::size_t i = shared_; i < part_.manifest.layers.size(); ++i)
      bytes += static_cast<std::size_t>(part_.manifest.layers[i].size);
    return bytes;
  }

  /// One blob may be several layers, of which a higher one is to be sent.
  std::set<std::string> Blobs() const {
    std::set<std::string> blobs;
    for (std::size_t i = 0; i < shared_; ++i)
      blobs.insert(part_.manifest.layers[i].digest);
    for (std::size_t i = shared_; i < part_.manifest.layers.size(); ++i)
      blobs.erase(part_.manifest.layers[i].digest);
    return blobs;
  }

 private:
  const ImagePart& part_;
  std::size_t shared_ = 0;  // so many layers from below
};

/// The same about a containerd store.
class BlobHoldings {
 public:
  BlobHoldings(const DescribedImage& image, const LoadedImages& loaded)
      : image_(image), loaded_(loaded) {}

  void Learn(const docker::EngineImage& other) {
    bool whole = false;
    for (const auto& [manifest, available] : other.manifests) {
      if (available) LearnManifest(manifest);
      whole |= available;
    }
    if (other.manifests.empty()) LearnManifest(other.id);
    if (whole) diff_ids_.insert(other.diff_ids.begin(), other.diff_ids.end());
  }

  std::size_t Missing() const {
    const std::set<std::string> known = Blobs();
    std::size_t bytes = 0;
    for (const ImagePart& part : image_.parts)
      for (const Descriptor& layer : part.manifest.layers)
        bytes += known.contains(layer.digest) ? 0 : static_cast<std::size_t>(layer.size);
    return bytes;
  }

  std::set<std::string> Blobs() const {
    std::set<std::string> blobs;
    for (const ImagePart& part : image_.parts) {
      for (std::size_t i = 0; i < part.manifest.layers.size(); ++i) {
        const std::string& digest = part.manifest.layers[i].digest;
        const bool same = !part.attests && diff_ids_.contains(part.diff_ids[i]);
        if (same || digests_.contains(digest)) blobs.insert(digest);
      }
    }
    return blobs;
  }

 private:
  void LearnManifest(const std::string& digest) {
    const std::optional<std::string> bytes = loaded_.Find(digest);
    if (!bytes) return;
    if (Result<ImageIndex> index = ParseIndex(*bytes)) {
      for (const Descriptor& entry : index->manifests)
        if (entry.digest != digest && !IsIndex(entry.media_type)) LearnManifest(entry.digest);
    } else if (Result<Manifest> manifest = ParseManifest(*bytes)) {
      for (const Descriptor& layer : manifest->layers)
        digests_.insert(layer.digest);
    }
  }

  const DescribedImage& image_;
  const LoadedImages& loaded_;
  std::set<std::string> digests_;
  std::set<std::string> diff_ids_;
};

/// Those with the names, then the newest, each once and none that was `seen`, as long as it is
/// worth it.
template <typename Holder>
Result<> LearnFromImages(docker::Engine& engine,
                         const std::vector<std::string>& names,
                         Holder& holder,
                         std::set<std::string> seen,
                         const Cancel& cancel) {
  auto ask = [&](const std::string& name) -> Result<> {
    if (seen.contains(name)) return {};
    Result<docker::EngineImage> image = engine.Image(name, cancel);
    if (!image && image.error().code() == ErrorCode::kNotFound) return {};
    if (!image) return Fail(std::move(image).error());
    if (seen.insert(image->id).second) holder.Learn(*image);
    return {};
  };
  for (const std::string& name : names)
    TRY(ask(name));
  auto enough = [&] {
    return seen.size() >= kMaxAsked || seen.size() * kWorthAsking >= holder.Missing();
  };
  if (enough()) return {};
  const auto end = std::chrono::steady_clock::now() + kMaxAsking;
  const Result<std::vector<std::string>> ids = engine.Images(cancel);
  // One that loses an image while it counts them says 404 (Docker 26, containerd store). What is
  // known until here is right, and the rest is sent.
  if (!ids && ids.error().code() == ErrorCode::kNotFound) return {};
  TRY(ids);
  for (const std::string& id : *ids) {
    if (enough() || std::chrono::steady_clock::now() > end) break;
    if (IsDigest(id)) TRY(ask(id));
  }
  return {};
}

template <typename Holder>
Result<Holdings> HoldingsBy(Holder holder,
                            docker::Engine& engine,
                            const std::vector<std::string>& names,
                            const Cancel& cancel) {
  TRY(LearnFromImages(engine, names, holder, {}, cancel));
  return Holdings{false, holder.Blobs()};
}

}  // namespace

Result<Holdings> AskForHoldings(docker::Engine& engine,
                                const docker::EngineInfo& info,
                                const DescribedImage& image,
                                const std::vector<std::string>& names,
                                const LoadedImages& loaded,
                                const Cancel& cancel) {
  const std::string& id =
      info.containerd_store ? image.top.digest : image.parts.front().manifest.config.digest;
  Result<docker::EngineImage> same = engine.Image(id, cancel);
  if (!same && same.error().code() != ErrorCode::kNotFound) return Fail(std::move(same).error());
  const bool said = same && (!info.containerd_store || !same->manifests.empty() || loaded.Find(id));
  if (said && same->id == id && SaysWhole(*same, image)) return Holdings{true, {}};
  if (info.containerd_store) return HoldingsBy(BlobHoldings(image, loaded), engine, names, cancel);
  return HoldingsBy(ClassicHoldings(image.parts.front()), engine, names, cancel);
}

Result<bool> IsWhole(docker::Engine& engine,
                     const DescribedImage& image,
                     const std::set<std::string>& there,
                     const std::vector<std::string>& names,
                     const LoadedImages& loaded,
                     const Cancel& cancel) {
  TRY_ASSIGN(const docker::EngineImage found, engine.Image(image.top.digest, cancel));
  if (!found.manifests.empty() || there.empty()) return SaysWhole(found, image);
  BlobHoldings holder(image, loaded);
  TRY(LearnFromImages(engine, names, holder, {image.top.digest}, cancel));
  const std::set<std::string> still = holder.Blobs();
  return std::includes(still.begin(), still.end(), there.begin(), there.end());
}

}  // namespace depot::deliver
