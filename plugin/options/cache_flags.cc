#include "plugin/options/cache_flags.h"

#include <algorithm>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/oci/digest.h"
#include "driver/oci/reference.h"
#include "plugin/options/attributes.h"

namespace depot::options {
namespace {

using Words = std::vector<std::string_view>;

const Words& CacheTypes() {
  static const Words types = {"registry", "local", "inline", "gha", "s3", "azblob"};
  return types;
}

/// What BuildKit's caches read (cache/remotecache/*).
Words CacheKeys(std::string_view type) {
  Words keys = {
      "mode",           "ignore-error",  "compression", "compression-level", "force-compression",
      "oci-mediatypes", "image-manifest"};
  auto add = [&](const Words& more) { keys.insert(keys.end(), more.begin(), more.end()); };
  if (type == "registry") add({"ref", "registry.insecure"});
  if (type == "local") add({"src", "dest", "tag", "digest"});
  if (type == "gha") {
    add({"scope", "url", "url_v2", "token", "version", "ghtoken", "repository", "timeout"});
  }
  if (type == "s3") {
    add({"bucket", "region", "name", "prefix", "blobs_prefix", "manifests_prefix", "endpoint_url",
         "access_key_id", "secret_access_key", "session_token", "use_path_style",
         "upload_parallelism", "touch_refresh"});
  }
  if (type == "azblob") {
    add({"account_url", "account_name", "container", "name", "prefix", "blobs_prefix",
         "manifests_prefix", "secret_access_key"});
  }
  return keys;
}

std::string Get(const CacheEntry& entry, const std::string& key) {
  auto found = entry.attrs.find(key);
  return found == entry.attrs.end() ? "" : found->second;
}

/// The fields, which may be credentials: no message repeats them.
Result<CacheEntry> ReadEntry(std::string_view flag, std::string_view value) {
  auto fields = SplitRecord(value);
  if (!fields) return Fail(Wrong(flag, "the value has a quote in the wrong place"));
  CacheEntry entry;
  for (const std::string& field : *fields) {
    const std::size_t sign = field.find('=');
    if (sign == std::string::npos) {
      return Fail(Error(Wrong(flag, "each field must be a key=value pair"))
                      .WithHint("quote a field that has a comma in it: type=local,\"src=a,b\""));
    }
    const std::string key = LowerAscii(Trim(std::string_view(field).substr(0, sign)));
    std::string& into = key == "type" ? entry.type : entry.attrs[key];
    into = field.substr(sign + 1);
  }
  if (entry.type.empty()) {
    return Fail(Error(Wrong(flag, "type is missing"))
                    .WithHint("write type=registry,ref=..., or the name of an image alone"));
  }
  return entry;
}

Result<> CheckSwitches(std::string_view flag, CacheEntry& entry) {
  for (const char* key : {"ignore-error", "force-compression", "oci-mediatypes", "image-manifest",
                          "registry.insecure"}) {
    auto found = entry.attrs.find(key);
    if (found == entry.attrs.end() || ParseBool(found->second)) continue;
    return Fail(Wrong(flag, Cat(key, " is true or false, not \"", Printable(found->second), '"')));
  }
  if (auto found = entry.attrs.find("ignore-error"); found != entry.attrs.end()) {
    entry.ignore_error = *ParseBool(found->second);
    entry.attrs.erase(found);
  }
  const std::string mode = Get(entry, "mode");
  if (mode.empty() || mode == "min" || mode == "max") return {};
  return Fail(Wrong(flag, Cat("mode is min or max, not \"", Printable(mode), '"')));
}

Result<> CheckReference(std::string_view flag, const CacheEntry& entry) {
  if (entry.type != "registry") return {};
  const std::string ref = Get(entry, "ref");
  if (ref.empty()) {
    return Fail(
        Error(Wrong(flag, "type=registry needs a name")).WithHint("add ref=REGISTRY/NAME:TAG"));
  }
  auto parsed = ParseReference(ref);
  return parsed ? Result<>() : Fail(AsUsage(parsed.error(), flag));
}

Result<> CheckFolder(std::string_view flag, const CacheEntry& entry, const std::string& key) {
  if (entry.type != "local") return {};
  if (Get(entry, key).empty()) {
    return Fail(
        Error(Wrong(flag, Cat("type=local needs a folder"))).WithHint(Cat("add ", key, "=FOLDER")));
  }
  const std::string digest = Get(entry, "digest");
  if (digest.empty() || IsDigest(digest)) return {};
  return Fail(Wrong(flag, "digest is not sha256: and 64 lowercase hex digits"));
}

void NoteUnknownKeys(std::string_view flag, const CacheEntry& entry, CacheOptions& into) {
  const Words known = CacheKeys(entry.type);
  for (const auto& [key, value] : entry.attrs) {
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    into.notices.push_back(Cat("WARNING: ", flag, " type=", entry.type, ": \"", Printable(key),
                               "\" is not known here, and left to the builder",
                               Suggest(key, known)));
  }
}

/// Names of images alone, or nothing.
Result<bool> AddNames(std::string_view flag,
                      std::string_view value,
                      std::vector<CacheEntry>& entries,
                      CacheOptions& into) {
  if (value.empty()) into.notices.push_back(Cat(flag, " is empty, and has no effect"));
  if (value.empty()) return true;
  if (value.find('=') != std::string_view::npos) return false;
  auto names = SplitRecord(value);
  if (!names) return Fail(Wrong(flag, "the value has a quote in the wrong place"));
  for (const std::string& name : *names) {
    CacheEntry entry{"registry", {{"ref", name}}};
    TRY(CheckReference(flag, entry));
    entries.push_back(std::move(entry));
  }
  return true;
}

bool IsKnown(const CacheEntry& entry) {
  return std::find(CacheTypes().begin(), CacheTypes().end(), entry.type) != CacheTypes().end();
}

}  // namespace

Result<> AddCacheFrom(std::string_view value, CacheOptions& into) {
  constexpr std::string_view kFlag = "--cache-from";
  TRY_ASSIGN(const bool done, AddNames(kFlag, value, into.from, into));
  if (done) return {};
  TRY_ASSIGN(CacheEntry entry, ReadEntry(kFlag, value));
  if (!IsKnown(entry) || entry.type == "inline") {
    into.notices.push_back(Cat("WARNING: ", kFlag, " type=", Printable(entry.type),
                               entry.type == "inline"
                                   ? " has no effect: name the image itself, with type=registry"
                                   : Cat(" has no effect", Suggest(entry.type, CacheTypes()))));
    return {};
  }
  TRY(CheckSwitches(kFlag, entry));
  TRY(CheckReference(kFlag, entry));
  TRY(CheckFolder(kFlag, entry, "src"));
  NoteUnknownKeys(kFlag, entry, into);
  into.from.push_back(std::move(entry));
  return {};
}

Result<> AddCacheTo(std::string_view value, CacheOptions& into) {
  constexpr std::string_view kFlag = "--cache-to";
  TRY_ASSIGN(const bool done, AddNames(kFlag, value, into.to, into));
  if (done) return {};
  TRY_ASSIGN(CacheEntry entry, ReadEntry(kFlag, value));
  if (!IsKnown(entry)) {
    return Fail(Wrong(kFlag, Cat("unknown type \"", Printable(entry.type), '"',
                                 Suggest(entry.type, CacheTypes()))));
  }
  TRY(CheckSwitches(kFlag, entry));
  TRY(CheckReference(kFlag, entry));
  TRY(CheckFolder(kFlag, entry, "dest"));
  NoteUnknownKeys(kFlag, entry, into);
  for (const CacheEntry& earlier : into.to) {
    if (earlier.type != entry.type || earlier.attrs != entry.attrs) continue;
    return Fail(Wrong(kFlag, Cat("the same cache of type=", entry.type, " is given twice")));
  }
  into.to.push_back(std::move(entry));
  return {};
}

std::vector<flags::Flag> CacheFlags(CacheOptions& options) {
  auto adder = [&options](Result<> (*add)(std::string_view, CacheOptions&)) {
    return [&options, add](const std::string& value) { return add(value, options); };
  };
  return {
      {"cache-from", 0, flags::FlagKind::kText, "list",
       "External cache sources (as in \"user/app:cache\", \"type=local,src=path/to/dir\"): types "
       "registry, local, gha, s3, azblob",
       adder(AddCacheFrom)},
      {"cache-to", 0, flags::FlagKind::kText, "list",
       "Cache export destinations, written when the image is where it was asked for (as in "
       "\"user/app:cache\", \"type=local,dest=path/to/dir\"): types registry, local, inline, gha, "
       "s3, azblob",
       adder(AddCacheTo)},
  };
}

}  // namespace depot::options
