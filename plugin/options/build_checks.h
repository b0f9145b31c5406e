#pragma once

#include "driver/base/result.h"
#include "plugin/options/build_options.h"

namespace depot::options {

/// Judges what no flag can judge alone: flags that exclude each other, a push without a name, two
/// outputs to one place, rules for tags without any, an image ID file or an annotation without an
/// image, an SBOM directory without an SBOM, a tag for an image that is not saved. kUsage.
Result<> CheckTogether(const BuildOptions& options);

/// --sbom-dir switches the SBOM on; after CheckTogether().
void ImplySbom(BuildOptions& options);

/// Whether the build pushes an image, or has it saved.
bool Pushes(const BuildOptions& options);

/// With --call nothing is built, so that nothing can be pushed, loaded, written or attested: takes
/// away whatever asks for that, and notes what was said in vain.
void LeaveOutResults(BuildOptions& options);

}  // namespace depot::options
