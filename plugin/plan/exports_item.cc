#include "plugin/plan/exports_item.h"

#include "driver/base/text.h"

namespace depot::plan {

bool IsOn(const Item& item, const std::string& key) {
  auto found = item.attrs.find(key);
  return found != item.attrs.end() && ParseBool(found->second).value_or(false);
}

bool IsImage(const Item& item) {
  return item.type == "image";
}

bool IsPush(const Item& item) {
  return IsImage(item) && IsOn(item, "push");
}

bool IsLoad(const Item& item) {
  return item.destination.kind == DestinationKind::kEngineLoad;
}

bool HasTag(std::string_view name) {
  std::string_view last = name.substr(name.rfind('/') + 1);
  return last.substr(0, last.find('@')).find(':') != std::string_view::npos;
}

namespace {

Destination DestinationOf(const options::Output& output) {
  if (output.type == "local") return To(DestinationKind::kDirectory, output.dest);
  if (output.type == "image" || output.type == "registry") return {};
  if (output.type == "docker" && output.dest.empty()) return To(DestinationKind::kEngineLoad, "");
  const auto tar = output.attrs.find("tar");
  const bool layout = tar != output.attrs.end() && !ParseBool(tar->second).value_or(true);
  if (layout) return To(DestinationKind::kLayout, output.dest);
  bool standard = output.dest.empty() || output.dest == "-";
  if (standard) return To(DestinationKind::kStandardOutput, "");
  return To(DestinationKind::kFile, output.dest);
}

}  // namespace

Destination To(DestinationKind kind, const std::string& path) {
  Destination destination;
  destination.kind = kind;
  destination.path = path;
  return destination;
}

std::vector<Item> Asked(const options::BuildOptions& options) {
  std::vector<Item> items;
  for (const options::Output& output : options.outputs) {
    if (output.type == "cacheonly") continue;
    Item item{output.type, output.attrs, DestinationOf(output)};
    item.attrs.erase("tar");
    bool registry = output.type == "registry";
    if (registry) item.type = "image";
    if (IsImage(item) && (registry || options.push)) {
      item.attrs["push"] = "true";
      item.attrs.emplace("unpack", "false");
    }
    items.push_back(std::move(item));
  }
  if (options.push && std::none_of(items.begin(), items.end(), IsImage)) {
    items.push_back({"image", {{"push", "true"}, {"unpack", "false"}}, {}});
  }
  if (options.load && std::none_of(items.begin(), items.end(), IsLoad)) {
    items.push_back({"docker", {}, To(DestinationKind::kEngineLoad, "")});
  }
  return items;
}

std::vector<Destination> ArchivePlaces(const options::BuildOptions& options) {
  std::vector<Destination> places;
  for (Item& item : Asked(options)) {
    const DestinationKind kind = item.destination.kind;
    if (kind == DestinationKind::kFile || kind == DestinationKind::kStandardOutput) {
      places.push_back(std::move(item.destination));
    }
  }
  return places;
}

}  // namespace depot::plan
