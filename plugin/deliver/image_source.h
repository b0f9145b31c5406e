#pragma once

#include "driver/builder/builder.h"
#include "driver/session/description_store.h"
#include "plugin/deliver/described_image.h"
#include "plugin/deliver/metadata.h"

namespace depot::deliver {

/// A builder that has made an image, or the platforms of one. All is owned by the caller.
struct ImageSource {
  builder::Builder& builder;
  /// What the builder sent of it: exporter `oci` with tar=false.
  const session::DescriptionStore& described;
  const ExporterResponse& response;  ///< the builder's answer
};

/// The image that it made: from what it sent, and the rest from its content store, each checked
/// against its digest. Blocks.
Result<DescribedImage> DescribeSource(const ImageSource& source, const Cancel& cancel);

}  // namespace depot::deliver
