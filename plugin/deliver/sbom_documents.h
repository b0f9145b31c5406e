#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "driver/base/result.h"
#include "driver/oci/descriptor.h"

namespace depot::deliver {

/// The largest SBOM that is taken, with the in-toto statement around it.
inline constexpr std::size_t kMaxSbomSize = 64 << 20;

/// An SPDX document of what was built for one platform.
struct SbomDocument {
  Platform platform;
  /// What was scanned: "sbom" for the image itself, "sbom-NAME" for a stage or the context when the
  /// scanner follows BuildKit's words (docs/attestations/sbom-protocol.md); may be anything else.
  std::string scan;
  std::string spdx;  ///< a JSON object
};

/// Content by its digest, checked against it, of at most so many bytes.
using ContentReader = std::function<Result<std::string>(const Descriptor&, std::size_t max_size)>;

/// Takes the document out of an in-toto statement. `scan` is the document's own name. kInvalid for
/// what is no statement with an SPDX predicate.
Result<SbomDocument> ReadSbomStatement(const Platform& platform, std::string_view statement);

/// The documents of an image, the first one of each platform being that of the image itself
/// (BuildKit docs/attestations/attestation-storage.md). A platform that the index does not name is
/// `otherwise`. kNotFound: the image has none. kInvalid: too much or malformed.
Result<std::vector<SbomDocument>> ReadImageSboms(const Descriptor& image,
                                                 const Platform& otherwise,
                                                 const ContentReader& read);

/// Name and content of the files in --sbom-dir: `sbom.spdx.json`, or with `several` platforms
/// `linux_amd64.spdx.json` and so on; of a `target` that is one of several `TARGET.spdx.json` and
/// `TARGET_linux_amd64.spdx.json` (depot/cli pkg/sbom). Further scans of a platform have their name
/// appended: `sbom-NAME.spdx.json`, `linux_amd64-NAME.spdx.json`. No name leads out of a directory,
/// and none comes twice, whatever the documents say of themselves.
std::vector<std::pair<std::string, std::string>> SbomFileContents(
    const std::vector<SbomDocument>& documents, bool several, const std::string& target);

}  // namespace depot::deliver
