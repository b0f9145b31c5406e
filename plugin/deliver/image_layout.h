#pragma once

#include <string>

#include "driver/base/cancel.h"

namespace depot::deliver {

/// Puts the image of an OCI or docker archive, a regular file read from its beginning, into the
/// OCI layout below `directory` (OCI image spec, image-layout.md), which is made if need be: what
/// else is in that layout stays, and a name that it has already gets the new image. An image
/// without a name is called latest. index.json comes last, and only when all blobs are there, each
/// checked against its name. kInvalid for what is no such archive, and for an index.json in
/// `directory` that cannot be read. Blocks.
Result<> WriteImageLayout(int archive, const std::string& directory, const Cancel& cancel);

}  // namespace depot::deliver
