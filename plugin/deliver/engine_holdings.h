#pragma once

#include <set>
#include <string>
#include <vector>

#include "driver/docker/engine.h"
#include "plugin/deliver/described_image.h"
#include "plugin/deliver/loaded_images.h"

namespace depot::deliver {

/// What of an image an Engine has already.
struct Holdings {
  bool whole = false;           ///< all of it: it only wants names
  std::set<std::string> blobs;  ///< layers (digests) that need not be sent
};

/// Asks the Engine, which may change its mind at any time: what it was not sent and lacks then
/// makes the load fail, or leaves an image that IsWhole() denies. `image` is what will be loaded,
/// of one part for a classic store; images that have `names` now are looked at first.
///
/// A classic store has a layer when it has an image that begins with the same layers. The
/// containerd store goes by the blob's digest: those of images that it has and that `loaded`
/// remembers; and from API 1.48 on, where it says afterwards whether an image is whole, also those
/// of layers with the same content. Blocks; of many images the newest are asked
/// about, and the fewer the less there is to be sent.
Result<Holdings> AskForHoldings(docker::Engine& engine,
                                const docker::EngineInfo& info,
                                const DescribedImage& image,
                                const std::vector<std::string>& names,
                                const LoadedImages& loaded,
                                const Cancel& cancel);

/// Whether the Engine has all of an image that it was given without the layers `there`. One that
/// does not say has it while other images of AskForHoldings() still have these layers. kNotFound
/// when it does not know the image at all. For the containerd store. Blocks.
Result<bool> IsWhole(docker::Engine& engine,
                     const DescribedImage& image,
                     const std::set<std::string>& there,
                     const std::vector<std::string>& names,
                     const LoadedImages& loaded,
                     const Cancel& cancel);

}  // namespace depot::deliver
