#include "plugin/plan/exports_of_several.h"

#include <algorithm>

#include "driver/base/text.h"

namespace depot::plan {
namespace {

Result<> PushByDigest(Item& item) {
  bool nameless = IsOn(item, "push-by-digest");
  std::vector<std::string> repositories;
  std::vector<std::string> done;
  for (std::string_view part : Split(item.attrs["name"], ',')) {
    if (Trim(part).empty()) continue;
    TRY_ASSIGN(Reference reference, ParseReference(Trim(part)));
    if (nameless && !HasTag(Trim(part))) reference.tag.clear();
    std::string repository = RepositoryOf(reference);
    if (std::find(repositories.begin(), repositories.end(), repository) == repositories.end()) {
      repositories.push_back(repository);
    }
    std::string name = FormatReference(reference);
    if (std::find(done.begin(), done.end(), name) != done.end()) continue;
    done.push_back(std::move(name));
    item.destination.index_names.push_back(std::move(reference));
  }
  item.attrs["name"] = Join(repositories, ",");
  item.attrs["push-by-digest"] = "true";
  // A builder with an image store of its own would keep it under a name that says no platform.
  item.attrs.emplace("store", "false");
  return {};
}

std::string FolderOf(const Platform& platform) {
  std::string folder = FormatPlatform(platform);
  std::replace(folder.begin(), folder.end(), '/', '_');
  return folder;
}

/// Files lie in a folder for each platform, unless the user wants them all in one.
void PlaceFiles(const std::vector<Platform>& platforms, Item& item) {
  auto said = item.attrs.find("platform-split");
  bool files = item.type == "local" || item.type == "tar";
  item.destination.together = files && said != item.attrs.end() && !IsOn(item, said->first);
  if (platforms.size() != 1) return;
  // The folder is ours, and must not come twice.
  item.attrs.erase("platform-split");
  if (item.type == "local" && !item.destination.together) {
    item.destination.folder = FolderOf(platforms.front());
  }
}

}  // namespace

Result<> LeaveTagsToUs(std::vector<Item>& items) {
  // A builder answers for its last output, and what it answers about a pushed one is needed.
  std::stable_partition(items.begin(), items.end(), [](const Item& item) { return !IsPush(item); });
  for (Item& item : items)
    if (IsPush(item)) TRY(PushByDigest(item));
  return {};
}

Result<> ShareAmongBuilders(const std::vector<Platform>& platforms, std::vector<Item>& items) {
  TRY(LeaveTagsToUs(items));
  for (Item& item : items) {
    PlaceFiles(platforms, item);
    item.destination.part = item.destination.kind == DestinationKind::kFile ||
                            item.destination.kind == DestinationKind::kLayout ||
                            item.destination.kind == DestinationKind::kStandardOutput ||
                            item.destination.kind == DestinationKind::kEngineLoad;
  }
  return {};
}

}  // namespace depot::plan
