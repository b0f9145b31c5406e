#include "plugin/plan/exports.h"

#include <algorithm>

#include "driver/base/text.h"
#include "driver/oci/reference.h"

namespace depot::plan {
namespace {

using options::BuildOptions;
using options::Output;

constexpr std::string_view kClassic = "an Engine with the classic image store";

/// An output on its way to become an exporter.
struct Item {
  std::string type;  ///< local, tar, oci, docker, image
  std::map<std::string, std::string> attrs;
  Destination destination;
};

bool IsOn(const Item& item, const std::string& key) {
  auto found = item.attrs.find(key);
  return found != item.attrs.end() && ParseBool(found->second).value_or(false);
}

bool IsImage(const Item& item) {
  return item.type == "image";
}

bool IsLoad(const Item& item) {
  return item.destination.kind == DestinationKind::kEngineLoad;
}

Destination DestinationOf(const Output& output) {
  if (output.type == "local") return {DestinationKind::kDirectory, output.dest};
  if (output.type == "image" || output.type == "registry") return {};
  if (output.type == "docker" && output.dest.empty()) return {DestinationKind::kEngineLoad, ""};
  bool standard = output.dest.empty() || output.dest == "-";
  if (standard) return {DestinationKind::kStandardOutput, ""};
  return {DestinationKind::kFile, output.dest};
}

Result<std::string> JoinTags(const std::vector<std::string>& tags) {
  std::vector<std::string> names;
  for (const std::string& tag : tags) {
    TRY_ASSIGN(Reference reference, ParseReference(tag));
    std::string name = FormatReference(reference);
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  }
  return Join(names, ",");
}

/// What the user asked for, before the builder is looked at.
std::vector<Item> Asked(const BuildOptions& options) {
  std::vector<Item> items;
  for (const Output& output : options.outputs) {
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
    items.push_back({"docker", {}, {DestinationKind::kEngineLoad, ""}});
  }
  return items;
}

Result<> NameItems(const BuildOptions& options, std::vector<Item>& items, Exports& exports) {
  if (options.tags.empty()) return {};
  TRY_ASSIGN(std::string names, JoinTags(options.tags));
  for (Item& item : items) {
    if (item.type == "local" || item.type == "tar") continue;
    auto given = item.attrs.find("name");
    if (given != item.attrs.end()) {
      exports.warnings.push_back(
          Cat("--tag replaces name=", Printable(given->second), " of --output"));
    }
    item.attrs["name"] = names;
  }
  return {};
}

/// Inside an Engine, an image that is exported is in the Engine's store already: nothing is loaded.
void KeepInEngine(std::vector<Item>& items) {
  bool load = std::any_of(items.begin(), items.end(), IsLoad);
  bool image = std::any_of(items.begin(), items.end(), IsImage);
  if (load && image) {
    items.erase(std::remove_if(items.begin(), items.end(), IsLoad), items.end());
    for (Item& item : items)
      item.attrs.erase("unpack");
  }
  for (Item& item : items) {
    if (!IsImage(item) && !IsLoad(item)) continue;
    item.type = "moby";
    item.destination = {};
  }
}

Result<> RefuseOnEngine(const Item& item, bool classic) {
  if (item.type == "moby" && IsOn(item, "push-by-digest")) {
    return Fail(Error(ErrorCode::kUnsupported,
                      "push-by-digest=true: the Docker Engine's BuildKit cannot do that")
                    .WithHint("build on a BuildKit builder: --builder ADDRESS"));
  }
  if (!classic) return {};
  if (item.type == "oci" || item.type == "docker") {
    return Fail(
        Error(ErrorCode::kUnsupported,
              Cat("--output type=", item.type, ": ", kClassic, " has no such exporter"))
            .WithHint("switch the Engine to the containerd image store, build on a BuildKit "
                      "builder (--builder ADDRESS), or use --load and docker save"));
  }
  if (item.type != "moby") return {};
  for (const auto& [key, value] : item.attrs) {
    if (key == "name" || key == "push" || key == "unpack" || key == "store") continue;
    return Fail(
        Error(ErrorCode::kUnsupported, Cat("--output ", Printable(key), "=", Printable(value), ": ",
                                           kClassic, " cannot do that"))
            .WithHint("switch the Engine to the containerd image store, or build on a "
                      "BuildKit builder (--builder ADDRESS)"));
  }
  return {};
}

/// The classic store's BuildKit does not push, so the Engine does, afterwards.
Result<> PushByEngine(Item& item, Exports& exports) {
  bool push = item.type == "moby" && IsOn(item, "push");
  if (item.type == "moby") item.attrs.erase("push");
  if (!push) return {};
  for (std::string_view part : Split(item.attrs["name"], ',')) {
    TRY_ASSIGN(Reference reference, ParseReference(Trim(part)));
    std::string name = FormatReference(reference);
    auto& pushes = exports.engine_pushes;
    if (std::find(pushes.begin(), pushes.end(), name) == pushes.end()) pushes.push_back(name);
  }
  return {};
}

Result<> AdaptToEngine(std::vector<Item>& items, bool classic, Exports& exports) {
  KeepInEngine(items);
  for (Item& item : items) {
    TRY(RefuseOnEngine(item, classic));
    if (classic) {
      TRY(PushByEngine(item, exports));
    } else if (item.type == "moby") {
      item.attrs["prefer-image-digest"] = "true";
    }
  }
  return {};
}

void AdaptToRemote(std::vector<Item>& items, bool engine_containerd_store) {
  for (Item& item : items) {
    if (!IsLoad(item) || !engine_containerd_store) continue;
    item.type = "oci";
    item.attrs["prefer-image-digest"] = "true";
  }
}

Result<> CheckItems(const BuildOptions& options,
                    const ExportFacts& facts,
                    const std::vector<Item>& items) {
  bool archive = std::any_of(items.begin(), items.end(), [](const Item& item) {
    return item.destination.kind == DestinationKind::kStandardOutput;
  });
  if (archive && facts.stdout_is_terminal) {
    return Fail(Error(ErrorCode::kUsage, "--output: an archive is not written to a terminal")
                    .WithHint("add dest=FILE, or redirect standard output"));
  }
  bool image = std::any_of(items.begin(), items.end(), [](const Item& item) {
    return item.type != "local" && item.type != "tar";
  });
  if (!options.iidfile.empty() && !image) {
    return Fail(
        Error(ErrorCode::kUsage, "--iidfile: this build makes no image, so there is no image ID")
            .WithHint("add --push or --load"));
  }
  return {};
}

bool SaysCacheOnly(const BuildOptions& options) {
  return std::any_of(options.outputs.begin(), options.outputs.end(),
                     [](const Output& output) { return output.type == "cacheonly"; });
}

}  // namespace

Result<Exports> PlanExports(const BuildOptions& options,
                            const builder::Features& features,
                            const ExportFacts& facts) {
  Exports exports;
  std::vector<Item> items = Asked(options);
  if (items.empty() && !SaysCacheOnly(options) && !facts.no_default_load) {
    if (features.engine_store) {
      items.push_back({"image", {}, {}});
    } else {
      exports.warnings.push_back(
          "no output was asked for: the result stays in the builder's cache; "
          "--push sends it to a registry, --load brings it into docker");
    }
  }
  TRY(NameItems(options, items, exports));
  if (features.engine_store) {
    TRY(AdaptToEngine(items, !features.all_exporters, exports));
  } else {
    AdaptToRemote(items, facts.engine_containerd_store);
  }
  TRY(CheckItems(options, facts, items));
  for (Item& item : items) {
    exports.exporters.push_back({std::move(item.type), std::move(item.attrs)});
    exports.destinations.push_back(std::move(item.destination));
  }
  return exports;
}

}  // namespace depot::plan
