#pragma once

#include <memory>
#include <optional>
#include <string>

#include "driver/builder/builder.h"
#include "driver/session/description_store.h"
#include "plugin/deliver/described_image.h"
#include "plugin/deliver/metadata.h"

namespace depot::deliver {

/// Gives the content of one layer, in pieces. One thread.
class LayerReader {
 public:
  virtual ~LayerReader() = default;

  /// Asks for it, so that the first bytes are on their way before Next() wants them; a few MiB
  /// arrive meanwhile, and no more. Once or several times, or never.
  virtual void Ask(const Cancel& cancel) = 0;

  /// The next piece; "" = the end, and what came before is the layer with its digest and size. What
  /// is not that ends in an Error before the last piece is given. Blocks.
  virtual Result<std::string> Next(const Cancel& cancel) = 0;
};

/// Where an image is, or the platforms of one, that an Engine is to get. One thread.
class ImageSource {
 public:
  virtual ~ImageSource() = default;

  /// The image without its layers, all of it checked against its digests. Blocks.
  virtual Result<DescribedImage> Describe(const Cancel& cancel) = 0;

  /// The content of a layer that is at hand; nullopt = it has to be read.
  virtual std::optional<std::string> Kept(const std::string& digest) const = 0;

  /// The reader must not outlive the source.
  virtual std::unique_ptr<LayerReader> Open(const Descriptor& layer) = 0;
};

/// A builder that has made the image: `described` is what it sent of it (exporter `oci` with
/// tar=false), `response` its answer; the rest comes from its content store, which may lose it soon
/// after the solve. All outlive the source.
std::unique_ptr<ImageSource> MakeBuilderSource(builder::Builder& builder,
                                               const session::DescriptionStore& described,
                                               const ExporterResponse& response);

}  // namespace depot::deliver
