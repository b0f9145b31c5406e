#include "plugin/choice/self_hosted.h"

#include <algorithm>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/builder/endpoint.h"
#include "driver/oci/platform_list.h"

namespace depot::choice {
namespace {

/// One PLATFORM=ADDRESS; nullopt when `text` has no such form.
std::optional<std::pair<std::string_view, std::string_view>> PlatformAndAddress(
    std::string_view text) {
  std::size_t equals = text.find('=');
  if (equals == std::string_view::npos || equals > text.find("://")) return std::nullopt;
  return {{Trim(text.substr(0, equals)), Trim(text.substr(equals + 1))}};
}

Site& SiteOf(SelfHosted& hosts, builder::Endpoint endpoint) {
  auto same = std::find_if(hosts.sites.begin(), hosts.sites.end(),
                           [&](const Site& site) { return site.name == endpoint.url; });
  if (same != hosts.sites.end()) return *same;
  if (hosts.key.empty()) hosts.key = endpoint.tls_options.key_pem;
  hosts.tls |= endpoint.tls;
  Site site;
  site.name = endpoint.url;
  site.driver = builder::MakeRemoteDriver(std::move(endpoint));
  hosts.sites.push_back(std::move(site));
  return hosts.sites.back();
}

Result<Site*> SiteAt(SelfHosted& hosts,
                     std::string_view address,
                     const Environment& environment,
                     const Cancel& cancel) {
  TRY_ASSIGN(builder::Endpoint endpoint, builder::ParseEndpoint(address, environment, cancel));
  return &SiteOf(hosts, std::move(endpoint));
}

/// What else each machine runs, unless another one was named for just that.
void AddFamilies(std::vector<Site>& sites) {
  std::vector<Platform> named;
  for (const Site& site : sites)
    named.insert(named.end(), site.native.begin(), site.native.end());
  for (Site& site : sites) {
    std::vector<Platform> family;
    for (const Platform& own : site.native) {
      std::vector<Platform> members = NativeFamily(own);
      family.insert(family.end(), members.begin(), members.end());
    }
    for (const Platform& member : family) {
      if (!Contains(named, member) && !Contains(site.native, member)) site.native.push_back(member);
    }
  }
}

Result<SelfHosted> Parse(const std::string& text,
                         const Environment& environment,
                         const Cancel& cancel) {
  SelfHosted hosts;
  if (!PlatformAndAddress(text)) {
    TRY(SiteAt(hosts, text, environment, cancel));
    return hosts;
  }
  TRY_ASSIGN(const Environment read, builder::ReadPipes(environment, cancel));
  for (std::string_view part : Split(text, ',')) {
    auto pair = PlatformAndAddress(part);
    if (!pair) {
      return Fail(
          Error(ErrorCode::kInvalid, Cat("builder \"", Printable(RedactUrls(std::string(part))),
                                         "\" names no platform, as the first one does"))
              .WithHint("write PLATFORM=ADDRESS,PLATFORM=ADDRESS"));
    }
    TRY_ASSIGN(Platform platform, ParsePlatform(pair->first));
    // Only --platform is passed on as it is; whose builder it is must be right.
    const std::string doubt = DoubtAbout(platform);
    if (!doubt.empty()) {
      return Fail(ErrorCode::kInvalid,
                  Cat("a builder for ", FormatPlatform(platform), ": ", doubt));
    }
    TRY_ASSIGN(Site * site, SiteAt(hosts, pair->second, read, cancel));
    bool again = std::any_of(hosts.sites.begin(), hosts.sites.end(), [&](const Site& other) {
      return &other != site && Contains(other.native, platform);
    });
    if (again) {
      return Fail(
          Error(ErrorCode::kInvalid, Cat("there are two builders for ", FormatPlatform(platform)))
              .WithHint("name one builder for each platform"));
    }
    if (!Contains(site->native, platform)) site->native.push_back(platform);
  }
  AddFamilies(hosts.sites);
  return hosts;
}

/// --build-platform takes one machine for everything.
Result<> Force(const Platform& forced, std::vector<Site>& sites) {
  // What was named without a platform may be of any.
  std::erase_if(sites, [&](const Site& site) {
    return !site.native.empty() && !Contains(site.native, forced);
  });
  if (!sites.empty()) return {};
  return Fail(Error(ErrorCode::kUnsupported,
                    Cat("--build-platform: no builder was named for ", FormatPlatform(forced)))
                  .WithHint(Cat("add ", FormatPlatform(forced), "=ADDRESS to the builders")));
}

}  // namespace

bool NamesInstance(std::string_view setting) {
  return setting.find("://") == std::string_view::npos && !PlatformAndAddress(setting);
}

Result<SelfHosted> SelfHostedOf(builder::Instance instance, const std::optional<Platform>& forced) {
  SelfHosted hosts;
  // What an address names has no other name.
  const bool named = NamesInstance(instance.name);
  for (builder::InstanceNode& node : instance.nodes) {
    Site& site = SiteOf(hosts, std::move(node.endpoint));
    if (named && site.buildx.node.empty()) site.buildx = {instance.name, node.name};
    for (Platform& platform : node.platforms) {
      if (!Contains(site.native, platform)) site.native.push_back(std::move(platform));
    }
  }
  AddFamilies(hosts.sites);
  if (forced) TRY(Force(*forced, hosts.sites));
  return hosts;
}

Result<SelfHosted> ParseSelfHosted(const std::string& setting,
                                   const std::optional<Platform>& forced,
                                   const Environment& environment,
                                   const Cancel& cancel) {
  TRY_ASSIGN(SelfHosted hosts, Parse(setting, environment, cancel));
  if (forced) TRY(Force(*forced, hosts.sites));
  return hosts;
}

}  // namespace depot::choice
