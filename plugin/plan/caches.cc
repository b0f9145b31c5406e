#include "plugin/plan/caches.h"

#include <algorithm>

#include "driver/base/shown.h"
#include "driver/base/text.h"

namespace depot::plan {
namespace {

constexpr std::chrono::seconds kCacheTime = std::chrono::minutes(10);
constexpr std::uint64_t kMaxCacheTime = std::uint64_t{24} * 60 * 60;

using Attributes = std::map<std::string, std::string>;

std::string Get(const Attributes& attrs, const std::string& key) {
  auto found = attrs.find(key);
  return found == attrs.end() ? "" : found->second;
}

/// The first of the variables that is set, unless the user gave the attribute.
void FillIn(Attributes& attrs,
            const std::string& key,
            const Environment& environment,
            const std::vector<std::string>& variables) {
  if (attrs.contains(key)) return;
  for (const std::string& name : variables) {
    const std::string value = Variable(environment, name);
    if (!value.empty()) attrs.emplace(key, value);
  }
}

/// What is missing; "" = nothing.
std::string_view FillInActions(Attributes& attrs, const Environment& environment) {
  const bool second = ParseBool(Variable(environment, "ACTIONS_CACHE_SERVICE_V2")).value_or(false);
  const std::string version = attrs.contains("version") ? Get(attrs, "version") : second ? "2" : "";
  FillIn(attrs, "token", environment, {"ACTIONS_RUNTIME_TOKEN"});
  if (version == "2") FillIn(attrs, "url_v2", environment, {"ACTIONS_RESULTS_URL"});
  FillIn(attrs, "url", environment, {"ACTIONS_CACHE_URL", "ACTIONS_RESULTS_URL"});
  const bool has_url = !Get(attrs, "url").empty() || !Get(attrs, "url_v2").empty();
  if (!Get(attrs, "token").empty() && has_url) return "";
  return "it needs ACTIONS_RUNTIME_TOKEN and ACTIONS_RESULTS_URL, which GitHub gives to actions";
}

/// Both keys come from one place, and the session token belongs to them.
void FillInAws(Attributes& attrs, const Environment& environment) {
  if (attrs.contains("access_key_id") && attrs.contains("secret_access_key")) return;
  if (Variable(environment, "AWS_ACCESS_KEY_ID").empty()) return;
  FillIn(attrs, "access_key_id", environment, {"AWS_ACCESS_KEY_ID"});
  FillIn(attrs, "secret_access_key", environment, {"AWS_SECRET_ACCESS_KEY"});
  FillIn(attrs, "session_token", environment, {"AWS_SESSION_TOKEN"});
}

/// nullopt: it cannot work, and a notice says why.
std::optional<solve::CacheEntry> Complete(std::string_view flag,
                                          const options::CacheEntry& said,
                                          const Environment& environment,
                                          std::vector<std::string>& notices) {
  solve::CacheEntry entry{said.type, said.attrs};
  if (entry.type == "gha") {
    const std::string_view missing = FillInActions(entry.attrs, environment);
    if (!missing.empty()) notices.push_back(Cat(flag, " type=gha has no effect: ", missing));
    if (!missing.empty()) return std::nullopt;
  }
  if (entry.type == "s3") {
    FillInAws(entry.attrs, environment);
    if (Get(entry.attrs, "access_key_id").empty()) {
      notices.push_back(Cat(flag,
                            " type=s3: AWS_ACCESS_KEY_ID is not set, and ~/.aws is not read: "
                            "the builder uses credentials of its own"));
    }
  }
  return entry;
}

bool WantsInline(const options::BuildOptions& options, const Environment& environment) {
  bool wanted = false;
  for (const auto& [key, value] : options.build_args) {
    if (key != "BUILDKIT_INLINE_CACHE") continue;
    wanted = ParseBool(value ? *value : Variable(environment, key)).value_or(false);
  }
  return wanted;
}

bool MakesImage(const options::BuildOptions& options) {
  if (options.outputs.empty() || options.push || options.load || options.save) return true;
  return std::any_of(options.outputs.begin(), options.outputs.end(), [](const auto& output) {
    return output.type != "local" && output.type != "tar" && output.type != "cacheonly";
  });
}

/// What names a cache of this type, and BuildKit's default for it.
struct NameKey {
  std::string key;
  std::string otherwise;
};

std::optional<NameKey> NameOf(const solve::CacheEntry& entry) {
  if (entry.type == "local") return NameKey{"tag", "latest"};
  if (entry.type == "gha") return NameKey{"scope", "buildkit"};
  if (entry.type == "s3" || entry.type == "azblob") return NameKey{"name", "buildkit"};
  return std::nullopt;
}

std::string PlaceOf(const solve::CacheEntry& entry) {
  const Attributes& attrs = entry.attrs;
  if (entry.type == "registry") return Get(attrs, "ref");
  if (entry.type == "local") {
    const std::string folder = attrs.contains("dest") ? Get(attrs, "dest") : Get(attrs, "src");
    return Cat("the folder ", folder);
  }
  if (entry.type == "s3") return Cat("the bucket ", Get(attrs, "bucket"));
  if (entry.type == "azblob") return Cat("the Azure container ", Get(attrs, "container"));
  return entry.type == "gha" ? "GitHub's cache" : entry.type;
}

}  // namespace

Caches PlanCaches(const options::BuildOptions& options, const Environment& environment) {
  Caches caches;
  caches.notices = options.caches.notices;
  for (const options::CacheEntry& said : options.caches.from) {
    auto entry = Complete("--cache-from", said, environment, caches.notices);
    if (entry) caches.sources.push_back(*std::move(entry));
  }
  caches.in_image = WantsInline(options, environment);
  for (const options::CacheEntry& said : options.caches.to) {
    if (said.type == "inline") {
      caches.in_image = true;
      continue;
    }
    auto entry = Complete("--cache-to", said, environment, caches.notices);
    if (entry) caches.targets.push_back({*std::move(entry), said.ignore_error});
  }
  if (caches.in_image && !MakesImage(options)) {
    caches.notices.emplace_back("the inline cache has no effect: the outputs make no image");
    caches.in_image = false;
  }
  return caches;
}

Result<> CheckCaches(const Caches& caches, const builder::Features& features) {
  if (caches.targets.empty() || features.all_exporters) return {};
  return Fail(
      Error(ErrorCode::kUnsupported, Cat("--cache-to type=", caches.targets.front().entry.type,
                                         ": this Docker Engine cannot write such a cache"))
          .WithHint("switch its containerd image store on, use another builder, or keep "
                    "the cache in the image: type=inline"));
}

std::string ShownCache(const solve::CacheEntry& entry) {
  const auto key = NameOf(entry);
  const std::string name = key ? Get(entry.attrs, key->key) : "";
  return Printable(Cat(PlaceOf(entry), name.empty() ? "" : Cat(" (", key->key, ' ', name, ')')));
}
std::optional<Reference> CacheReference(const solve::CacheEntry& entry) {
  if (entry.type != "registry") return std::nullopt;
  auto reference = ParseReference(Get(entry.attrs, "ref"));
  if (!reference) return std::nullopt;
  return *std::move(reference);
}

solve::CacheEntry CacheOfPlatform(const solve::CacheEntry& entry, const Platform& platform) {
  std::string suffix = Cat('-', FormatPlatform(platform));
  std::replace(suffix.begin(), suffix.end(), '/', '-');
  solve::CacheEntry own = entry;
  if (auto reference = CacheReference(entry); reference && reference->digest.empty()) {
    reference->tag += suffix;
    own.attrs["ref"] = FormatReference(*reference);
  }
  if (auto name = NameOf(entry); name && !entry.attrs.contains("digest")) {
    const std::string said = Get(entry.attrs, name->key);
    own.attrs[name->key] = Cat(said.empty() ? name->otherwise : said, suffix);
  }
  return own;
}

solve::BuildRequest CacheRequest(const solve::BuildRequest& built,
                                 const solve::CacheEntry& target) {
  solve::BuildRequest request = built;
  request.exporters.clear();
  request.cache_exports = {target};
  request.internal = true;
  request.frontend_attrs.erase("no-cache");
  std::erase_if(request.frontend_attrs,
                [](const auto& attr) { return attr.first.starts_with("attest:"); });
  return request;
}

Result<std::chrono::seconds> CacheTime(const Environment& environment) {
  const std::string text = TrimmedVariable(environment, "DEPOT_CACHE_TIMEOUT");
  if (text.empty()) return kCacheTime;
  const auto seconds = ParseDecimal(text);
  if (seconds && *seconds > 0 && *seconds <= kMaxCacheTime) return std::chrono::seconds(*seconds);
  return Fail(Error(ErrorCode::kUsage,
                    Cat("DEPOT_CACHE_TIMEOUT is a number of seconds, at most a day, not \"",
                        Printable(text), '"'))
                  .At(FailedAt::kSettings));
}

}  // namespace depot::plan
