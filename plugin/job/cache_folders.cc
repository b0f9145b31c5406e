#include "plugin/job/cache_folders.h"

#include "driver/base/text.h"

namespace depot::job {
namespace {

constexpr char kDefaultTag[] = "latest";

std::string Get(const solve::CacheEntry& entry, const std::string& key) {
  auto found = entry.attrs.find(key);
  return found == entry.attrs.end() ? "" : found->second;
}

std::string TagOf(const solve::CacheEntry& entry) {
  const std::string tag = Get(entry, "tag");
  return tag.empty() ? kDefaultTag : tag;
}

/// A store's name travels as gRPC metadata: printable ASCII.
std::string Escaped(const std::string& path) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  for (const char c : path) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte > ' ' && byte < 0x7F && c != '%') {
      out += c;
    } else {
      out += Cat('%', kDigits[byte >> 4], kDigits[byte & 15]);
    }
  }
  return out;
}

}  // namespace

Result<> CacheFolders::Open(const plan::Caches& caches) {
  for (const solve::CacheEntry& source : caches.sources) {
    if (source.type != "local") continue;
    const std::string path = Get(source, "src");
    auto store = session::LayoutStore::OpenToRead(path);
    if (store) {
      stores_[path] = *std::move(store);
    } else {
      unreadable_.emplace(path, std::move(store).error());
    }
  }
  for (const plan::CacheTarget& target : caches.targets) {
    if (target.entry.type != "local") continue;
    const std::string path = Get(target.entry, "dest");
    auto store = session::LayoutStore::OpenToWrite(path);
    if (store) {
      stores_[path] = *std::move(store);
      continue;
    }
    if (!target.ignore_error) return Fail(std::move(store).error().While("--cache-to type=local"));
    unwritable_.emplace(path, std::move(store).error());
  }
  return {};
}

Result<> CacheFolders::CheckTarget(const solve::CacheEntry& target) const {
  auto found = unwritable_.find(Get(target, "dest"));
  return found == unwritable_.end() ? Result<>() : Fail(found->second);
}

session::OfferedStores CacheFolders::Offered() const {
  session::OfferedStores offered;
  for (const auto& [path, store] : stores_)
    offered[Cat("local:", Escaped(path))] = {store, false};
  return offered;
}

session::OfferedStores CacheFolders::OfferedFor(const solve::CacheEntry& target) const {
  const auto store = stores_.find(Get(target, "dest"));
  if (target.type != "local" || store == stores_.end()) return {};
  return {{Cat("local:", Escaped(store->first)), {store->second, true}}};
}

solve::CacheEntry CacheFolders::ForBuilder(const solve::CacheEntry& entry) const {
  solve::CacheEntry named = entry;
  for (const char* key : {"src", "dest"}) {
    if (named.type == "local" && named.attrs.contains(key)) {
      named.attrs[key] = Escaped(named.attrs[key]);
    }
  }
  return named;
}

Result<solve::CacheEntry> CacheFolders::Resolve(const solve::CacheEntry& source) const {
  const std::string path = Get(source, "src");
  auto unreadable = unreadable_.find(path);
  if (unreadable != unreadable_.end()) return Fail(unreadable->second);
  solve::CacheEntry resolved = ForBuilder(source);
  if (!Get(source, "digest").empty()) return resolved;
  TRY_ASSIGN(const ImageIndex index, stores_.at(path)->ReadIndex());
  const Descriptor* found = session::FindNamed(index, TagOf(source));
  if (found == nullptr) return Fail(ErrorCode::kNotFound, Cat("it has no tag ", TagOf(source)));
  resolved.attrs["digest"] = found->digest;
  return resolved;
}

Result<> CacheFolders::Write(const solve::CacheEntry& target,
                             const std::string& manifest,
                             const Cancel& cancel) const {
  TRY_ASSIGN(const Json json, Json::Parse(manifest));
  TRY_ASSIGN(const Descriptor descriptor, ReadDescriptor(json));
  const auto& store = stores_.at(Get(target, "dest"));
  TRY(store->Size(descriptor.digest));
  return store->Put(descriptor, {{TagOf(target)}}, cancel);
}

}  // namespace depot::job
