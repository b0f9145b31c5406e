#pragma once

#include <optional>
#include <string>

#include "plugin/deliver/described_image.h"

namespace depot::deliver {

/// Which blobs belong to the images that were loaded into one Engine with the containerd store,
/// which names an image by its manifest's digest but does not show the manifest. Files that are
/// called by the digest of their content, below a folder for each Engine: what is read is checked,
/// and says nothing about whether the Engine has that image still. It may be lost at any time, and
/// what cannot be read or written is passed over. One thread; other processes may do the same.
class LoadedImages {
 public:
  /// `folder` is for all Engines; "" = nothing is kept. `engine_id` is docker::EngineInfo::id; ""
  /// keeps nothing too.
  LoadedImages(const std::string& folder, const std::string& engine_id);

  /// The manifest or index with this digest.
  std::optional<std::string> Find(const std::string& digest) const;

  /// Remembers an image of which the Engine has all content now. The oldest are forgotten.
  void Keep(const DescribedImage& image) const;

 private:
  std::string folder_;  // of this Engine; "" = nothing is kept
};

}  // namespace depot::deliver
