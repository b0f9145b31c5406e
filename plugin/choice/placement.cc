#include "plugin/choice/placement.h"

#include <algorithm>
#include <optional>

#include "driver/base/text.h"
#include "driver/oci/platform_list.h"

namespace depot::choice {
namespace {

std::optional<std::size_t> FirstSite(const std::vector<Site>& sites,
                                     const std::vector<Platform> Site::*list,
                                     const Platform& wanted) {
  Platform machine = wanted;  // which version of a system an image is for does not choose it
  machine.os_version.clear();
  auto found = std::find_if(sites.begin(), sites.end(),
                            [&](const Site& site) { return Contains(site.*list, machine); });
  if (found == sites.end()) return std::nullopt;
  return static_cast<std::size_t>(found - sites.begin());
}

std::string WhatThereIs(const std::vector<Site>& sites) {
  std::vector<std::string> parts;
  for (const Site& site : sites) {
    std::vector<Platform> emulated = site.emulated;
    std::erase_if(emulated, [&](const Platform& one) { return Contains(site.native, one); });
    std::string part = Cat(site.name, " runs ", FormatPlatforms(site.native, ", "));
    if (!emulated.empty()) part += Cat(", and emulates ", FormatPlatforms(emulated, ", "));
    parts.push_back(std::move(part));
  }
  return Join(parts, "; ");
}

Error NobodyRuns(const Platform& platform, const std::vector<Site>& sites, Emulation emulation) {
  const std::string name = FormatPlatform(platform);
  if (emulation == Emulation::kNever) {
    return Error(ErrorCode::kUnsupported,
                 Cat("no builder runs ", name, " natively: ", WhatThereIs(sites)))
        .WithHint(
            "name a builder for it (--builder PLATFORM=ADDRESS,...), or add --emulate to run "
            "it under emulation");
  }
  return Error(ErrorCode::kUnsupported, Cat("no builder runs ", name,
                                            " natively, and none has an "
                                            "emulator for it: ",
                                            WhatThereIs(sites)))
      .WithHint(
          "name a builder for it (--builder PLATFORM=ADDRESS,...), or register an emulator on "
          "one (binfmt_misc); --emulate builds it all the same, as far as its steps run "
          "nothing");
}

Share& ShareOf(std::vector<Share>& shares, std::size_t site) {
  auto found = std::find_if(shares.begin(), shares.end(),
                            [&](const Share& share) { return share.site == site; });
  if (found != shares.end()) return *found;
  shares.push_back({site, {}, {}});
  return shares.back();
}

}  // namespace

std::vector<Platform> NativeFamily(const Platform& platform) {
  const std::string& os = platform.os;
  if (platform.architecture == "amd64") {
    return {{os, "amd64", ""},
            {os, "amd64", "v2"},
            {os, "amd64", "v3"},
            {os, "amd64", "v4"},
            {os, "386", ""}};
  }
  if (platform.architecture == "arm64") {
    return {{os, "arm64", ""},
            {os, "arm", "v8"},
            {os, "arm", "v7"},
            {os, "arm", "v6"},
            {os, "arm", "v5"}};
  }
  return {platform};
}

std::vector<Platform> NativePart(const std::vector<Platform>& listed) {
  if (listed.empty()) return {};
  std::vector<Platform> family = NativeFamily(listed.front());
  std::vector<Platform> native;
  for (const Platform& platform : listed) {
    if (Contains(family, platform) || platform == listed.front()) native.push_back(platform);
  }
  return native;
}

Result<std::vector<Share>> Place(const std::vector<Platform>& wanted,
                                 const std::vector<Site>& sites,
                                 const Platform& host,
                                 Emulation emulation) {
  if (wanted.empty()) {
    return std::vector<Share>{{FirstSite(sites, &Site::native, host).value_or(0), {}, {}}};
  }
  std::vector<Share> shares;
  for (const Platform& platform : wanted) {
    std::optional<std::size_t> site = FirstSite(sites, &Site::native, platform);
    bool native = site.has_value();
    if (!native && emulation != Emulation::kNever) {
      site = FirstSite(sites, &Site::emulated, platform);
    }
    // What nobody knows no builder lists; docker buildx gives it to its first one.
    const bool unknown = emulation == Emulation::kListed && !DoubtAbout(platform).empty();
    if (!site && (emulation == Emulation::kAnywhere || unknown)) site = 0;
    if (!site) return Fail(NobodyRuns(platform, sites, emulation));
    Share& share = ShareOf(shares, *site);
    share.platforms.push_back(platform);
    if (!native) share.emulated.push_back(platform);
  }
  return shares;
}

bool RunsNatively(const std::vector<Platform>& wanted, const std::vector<Site>& sites) {
  return std::all_of(wanted.begin(), wanted.end(), [&](const Platform& platform) {
    return FirstSite(sites, &Site::native, platform).has_value();
  });
}

}  // namespace depot::choice
