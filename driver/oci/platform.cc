#include "driver/oci/platform.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include <sys/utsname.h>

#include "driver/base/shown.h"
#include "driver/base/text.h"

namespace depot {
namespace {

// Go's GOOS and GOARCH names, which OCI's image configuration borrows, and WebAssembly's "wasi".
const std::vector<std::string_view>& SystemNames() {
  static const std::vector<std::string_view> names = {
      "aix",   "android", "darwin",  "dragonfly", "freebsd", "hurd", "illumos", "ios",     "js",
      "linux", "netbsd",  "openbsd", "plan9",     "solaris", "wasi", "wasip1",  "windows", "zos"};
  return names;
}

const std::vector<std::string_view>& ArchitectureNames() {
  static const std::vector<std::string_view> names = {
      "386",    "amd64", "arm",     "arm64",   "loong64", "mips",    "mips64", "mips64le",
      "mipsle", "ppc64", "ppc64le", "riscv64", "s390x",   "sparc64", "wasm"};
  return names;
}

bool Contains(const std::vector<std::string_view>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::string NormalSystem(std::string_view text) {
  std::string name = LowerAscii(text);
  return name == "macos" ? "darwin" : name;
}

/// containerd platforms/database.go, normalizeArch.
std::pair<std::string, std::string> NormalArchitecture(std::string_view text,
                                                       std::string_view variant_text) {
  std::string name = LowerAscii(text);
  std::string variant = LowerAscii(variant_text);
  if (name == "i386") return {"386", ""};
  if (name == "x86_64" || name == "x86-64" || name == "amd64") {
    return {"amd64", variant == "v1" ? "" : variant};
  }
  if (name == "aarch64" || name == "arm64") {
    if (variant == "8" || variant == "v8" || variant == "v8.0") variant.clear();
    return {"arm64", variant};
  }
  if (name == "armhf") return {"arm", "v7"};
  if (name == "armel") return {"arm", "v6"};
  if (name == "arm") {
    if (variant.empty()) variant = "v7";
    if (variant.size() == 1 && variant >= "5" && variant <= "8") variant.insert(0, "v");
  }
  return {name, variant};
}

constexpr std::string_view kFormHint = "write OS/ARCHITECTURE[/VARIANT], as in linux/arm64";

Error Malformed(std::string_view text, std::string_view why) {
  return Error(ErrorCode::kInvalid, Cat("platform \"", Printable(text), "\"", why))
      .WithHint(std::string(kFormHint));
}

/// Of a system, an architecture or a variant, in lower case (containerd platforms/platforms.go).
bool IsName(std::string_view text, std::string_view signs) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || signs.find(c) != signs.npos;
  });
}

/// The known name that may be meant by one that is not known; a known one is meant as it is.
std::string_view Meant(std::string_view name, const std::vector<std::string_view>& known) {
  return Contains(known, name) ? name : Nearest(name, known);
}

/// What may be meant by a platform that nobody knows; "" when that is anybody's guess.
std::string MeantPlatform(const Platform& platform) {
  const auto& [os, architecture, variant, version] = platform;
  if (Contains(ArchitectureNames(), os)) {
    if (Contains(SystemNames(), architecture)) return Cat(architecture, '/', os);
    if (architecture.starts_with('v')) return Cat("linux/", os, '/', architecture);
  }
  const std::string_view known_os = Meant(os, SystemNames());
  const std::string_view known_architecture = Meant(architecture, ArchitectureNames());
  if (known_os.empty() || known_architecture.empty()) return "";
  return FormatPlatform({std::string(known_os), std::string(known_architecture), variant, version});
}

/// What stands in parentheses behind a system (containerd platforms/platforms.go): taken off
/// `system`, and "" when there is none.
Result<std::string> TakeVersion(std::string_view text, std::string_view& system) {
  const std::size_t open = system.find('(');
  if (open == std::string_view::npos) return std::string();
  const std::string_view version = system.substr(open + 1);
  const bool good = version.size() > 1 && version.ends_with(')') &&
                    std::all_of(version.begin(), version.end() - 1, [](char c) {
                      return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                             (c >= 'A' && c <= 'Z') ||
                             std::string_view("_.%+-").find(c) != std::string_view::npos;
                    });
  if (!good) {
    return Fail(Error(ErrorCode::kInvalid, Cat("platform \"", Printable(text),
                                               "\": the system's version has a wrong form"))
                    .WithHint("write it as in windows(10.0.17763)/amd64"));
  }
  system = system.substr(0, open);
  return std::string(version.substr(0, version.size() - 1));
}

/// One word alone: an architecture (linux assumed) or a system (this machine's architecture).
Result<Platform> ParseWord(std::string_view text) {
  auto [architecture, variant] = NormalArchitecture(text, "");
  if (Contains(ArchitectureNames(), architecture)) return Platform{"linux", architecture, variant};
  std::string system = NormalSystem(text);
  if (Contains(SystemNames(), system)) {
    Platform host = HostPlatform();
    return Platform{system, host.architecture, host.variant};
  }
  std::vector<std::string_view> all = ArchitectureNames();
  all.insert(all.end(), SystemNames().begin(), SystemNames().end());
  Error error = Malformed(text, " is no known system or architecture, and only one word");
  const std::string_view nearest = Nearest(LowerAscii(text), all);
  if (nearest.empty()) return Fail(std::move(error));
  return Fail(std::move(error).WithHint(Cat("did you mean ", nearest, "?")));
}

}  // namespace

Result<Platform> ParsePlatform(std::string_view text) {
  std::string_view trimmed = Trim(text);
  if (trimmed.empty()) {
    return Fail(
        Error(ErrorCode::kInvalid, "the platform is empty").WithHint(std::string(kFormHint)));
  }
  if (trimmed == "local") return HostPlatform();
  std::vector<std::string_view> parts = Split(trimmed, '/');
  if (parts.size() == 1) return ParseWord(trimmed);
  if (parts.size() > 3) return Fail(Malformed(trimmed, " has more than three parts"));
  TRY_ASSIGN(std::string version, TakeVersion(trimmed, parts[0]));
  std::string system = NormalSystem(parts[0]);
  if (!IsName(system, "_-")) {
    return Fail(Malformed(trimmed, ": the operating system has a wrong form"));
  }
  auto [architecture, variant] =
      NormalArchitecture(parts[1], parts.size() == 3 ? parts[2] : std::string_view());
  if (!IsName(architecture, "_.-")) {
    return Fail(Malformed(trimmed, ": the architecture has a wrong form"));
  }
  if (parts.size() == 3 && !IsName(LowerAscii(parts[2]), "_.-")) {
    return Fail(Malformed(trimmed, ": the variant has a wrong form"));
  }
  return Platform{system, architecture, variant, version};
}

std::string DoubtAbout(const Platform& platform) {
  const bool system = Contains(SystemNames(), platform.os);
  if (system && Contains(ArchitectureNames(), platform.architecture)) return "";
  const std::string meant = MeantPlatform(platform);
  return Cat(system ? "unknown architecture \"" : "unknown operating system \"",
             Printable(system ? platform.architecture : platform.os), '"',
             meant.empty() ? "" : Cat(", did you mean ", Printable(meant), '?'));
}

std::string FormatPlatform(const Platform& platform) {
  const std::string version = platform.os_version.empty() ? "" : Cat('(', platform.os_version, ')');
  std::string text = Cat(platform.os, version, '/', platform.architecture);
  return platform.variant.empty() ? text : Cat(text, '/', platform.variant);
}

Platform HostPlatform() {
  utsname names{};
  ::uname(&names);
  std::string_view machine = names.machine;
  std::string_view variant;
  // Linux calls 32-bit ARM by its profile: armv7l, armv6l.
  if (machine.starts_with("armv") && machine.size() > 4) {
    variant = machine.substr(4, 1);
    machine = "arm";
  } else if (machine == "i686" || machine == "i586") {
    machine = "386";
  } else if (machine == "loongarch64") {
    machine = "loong64";
  }
  auto [architecture, normal_variant] = NormalArchitecture(machine, variant);
  return {"linux", architecture, normal_variant};
}

}  // namespace depot
