#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "driver/base/result.h"
#include "driver/builder/driver.h"
#include "driver/oci/platform.h"

namespace depot::choice {

/// What docker buildx knows a builder by; both are empty when it knows nothing of it.
struct BuildxName {
  std::string builder;
  std::string node;
};

/// A builder that may be had.
struct Site {
  std::string name;  ///< for people: an endpoint, "the Depot API's amd64 machine"
  /// What it runs without emulation, the first by itself; empty = asked of it when it is held.
  std::vector<Platform> native;
  std::vector<Platform> emulated;  ///< what else it says it can run
  std::shared_ptr<builder::Driver>
      driver{};  ///< how to get hold of it; Place() does not look at it
  BuildxName buildx{};
};

/// What becomes of a platform that no builder runs natively.
enum class Emulation {
  kNever,     ///< an error
  kListed,    ///< built by a builder that lists it as runnable (Control.ListWorkers), else an error
  kAnywhere,  ///< built all the same: a Dockerfile that runs nothing needs no emulator
};

/// What one builder builds, in one solve.
struct Share {
  std::size_t site = 0;             ///< index
  std::vector<Platform> platforms;  ///< in the order asked; empty = whatever the builder runs
  std::vector<Platform> emulated;   ///< those of them that it does not run natively
};

/// What a machine of this platform runs natively: amd64 its levels and 386, arm64 the 32-bit arm
/// variants too (containerd platforms/compare.go); anything else itself.
std::vector<Platform> NativeFamily(const Platform& platform);

/// Of what a builder lists, what is native to it: the members of the first one's family. BuildKit
/// lists its own platform first, then variants, then what binfmt_misc emulates (BuildKit
/// util/archutil).
std::vector<Platform> NativePart(const std::vector<Platform>& listed);

/// Gives each of `wanted` to the first site that runs it natively; the platforms of one site become
/// one share. Nothing wanted: one share, on the site that runs `host` natively, else on the first.
/// Without a native site a platform goes where `emulation` allows: to the first site that can
/// emulate it, else to the first with kAnywhere, and with kListed when nobody knows such a platform
/// (DoubtAbout()); or it is kUnsupported, and the error lists what there is. `wanted` has no
/// duplicates; `sites` is not empty.
Result<std::vector<Share>> Place(const std::vector<Platform>& wanted,
                                 const std::vector<Site>& sites,
                                 const Platform& host,
                                 Emulation emulation);

/// Whether every one of `wanted` has a site that is known to run it natively.
bool RunsNatively(const std::vector<Platform>& wanted, const std::vector<Site>& sites);

}  // namespace depot::choice
