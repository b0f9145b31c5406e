#pragma once

#include <string>
#include <string_view>

#include "driver/base/result.h"

namespace depot {

/// An OS and CPU, normalised: "aarch64" is arm64, "x86_64" is amd64, arm64/v8 is arm64, arm is
/// arm/v7. (OCI image spec, image-index.md; containerd platforms)
struct Platform {
  std::string os;
  std::string architecture;
  std::string variant;  ///< empty = none
  /// Of Windows above all: its version, and features behind plus signs, as in "10.0.17763"; empty =
  /// any.
  std::string os_version{};

  friend bool operator==(const Platform&, const Platform&) = default;
};

/// "linux/arm64", "linux/arm/v7", "windows(10.0.17763)/amd64", "arm64" (linux assumed), "local".
/// As with docker buildx, a system or an architecture may be one that nobody knows (DoubtAbout());
/// only one word alone must be known, and its error names the nearest. kInvalid for a wrong form.
Result<Platform> ParsePlatform(std::string_view text);

/// What is odd about a platform whose system or architecture nobody knows, as in `unknown
/// architecture "amd46", did you mean linux/amd64?`; "" when both are known.
std::string DoubtAbout(const Platform& platform);

/// os[(version)]/architecture[/variant].
std::string FormatPlatform(const Platform& platform);

/// The machine this program runs on.
Platform HostPlatform();

}  // namespace depot
