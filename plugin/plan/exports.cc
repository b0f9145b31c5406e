#include "plugin/plan/exports.h"

#include <algorithm>
#include <optional>
#include <set>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "plugin/options/annotation_flag.h"
#include "plugin/plan/exports_item.h"
#include "plugin/plan/exports_of_several.h"

namespace depot::plan {
namespace {

using options::BuildOptions;
using options::Output;

constexpr std::string_view kClassic = "an Engine with the classic image store";

Result<std::string> JoinTags(const std::vector<std::string>& tags) {
  std::vector<std::string> names;
  for (const std::string& tag : tags) {
    TRY_ASSIGN(Reference reference, ParseReference(tag));
    std::string name = FormatReference(reference);
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  }
  return Join(names, ",");
}

/// What BuildKit says once everything is built (util/push), said before.
Result<> RefuseTagsByDigest(const std::vector<Item>& items) {
  for (const Item& item : items) {
    if (!IsPush(item) || !IsOn(item, "push-by-digest")) continue;
    auto names = item.attrs.find("name");
    if (names == item.attrs.end()) continue;
    for (std::string_view part : Split(names->second, ',')) {
      if (!HasTag(Trim(part))) continue;
      return Fail(
          Error(ErrorCode::kUsage, Cat("push-by-digest=true pushes without a tag, but name=",
                                       Printable(Trim(part)), " has one"))
              .WithHint("give the repository alone: name=REGISTRY/NAME"));
    }
  }
  return {};
}

/// What of a local output is between the user and us: devices=true, and mode=delete.
Result<> TakeLocal(std::vector<Item>& items) {
  for (Item& item : items) {
    item.destination.clear = item.attrs.erase("mode") > 0;
    const auto found = item.attrs.find("devices");
    if (found == item.attrs.end()) continue;
    const std::optional<bool> value = ParseBool(found->second);
    if (item.type != "local" || !value) {
      const std::string_view why =
          value ? ": only type=local makes files here" : ": true or false is expected";
      return Fail(
          Error(ErrorCode::kUsage, Cat("--output devices=", Printable(found->second), why))
              .WithHint("device nodes are made by --output type=local,dest=DIR,devices=true"));
    }
    item.destination.devices = *value;
    item.attrs.erase(found);
  }
  return {};
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

/// Loads that differ in nothing but their names are one, with the names of all.
void JoinLoads(std::vector<Item>& items) {
  for (std::size_t first = 0; first < items.size(); ++first) {
    for (std::size_t i = items.size() - 1; IsLoad(items[first]) && i > first; --i) {
      auto nameless = [](Item item) {
        item.attrs.erase("name");
        return item.attrs;
      };
      if (!IsLoad(items[i]) || nameless(items[i]) != nameless(items[first])) continue;
      const std::string other = items[i].attrs["name"];
      std::string& names = items[first].attrs["name"];
      if (names != other) names += Cat(names.empty() || other.empty() ? "" : ",", other);
      if (names.empty()) items[first].attrs.erase("name");
      items.erase(items.begin() + static_cast<std::ptrdiff_t>(i));
    }
  }
}

/// --save pushes to the API's own registry too, and there alone when no push was asked for
/// (depot/cli pkg/buildx/build).
Result<> SaveItems(const std::vector<std::string>& save_as, std::vector<Item>& items) {
  if (save_as.empty()) return {};
  TRY_ASSIGN(std::string names, JoinTags(save_as));
  if (std::none_of(items.begin(), items.end(), IsImage)) items.push_back({"image", {}, {}});
  for (Item& item : items) {
    if (!IsImage(item)) continue;
    std::string& own = item.attrs["name"];
    own = IsOn(item, "push") && !own.empty() ? Cat(own, ",", names) : names;
    item.attrs["push"] = "true";
    item.attrs.emplace("unpack", "false");
  }
  return {};
}

/// An archive of the exporter `docker` holds one platform; of several, docker load takes an OCI
/// archive.
void WidenArchives(const ExportFacts& facts, std::vector<Item>& items, Exports& exports) {
  if (facts.platforms.size() < 2 && !facts.several_builders) return;
  for (Item& item : items) {
    if (item.type != "docker" || IsLoad(item)) continue;
    item.type = "oci";
    exports.warnings.emplace_back(
        "--output type=docker of several platforms is an OCI archive: docker load takes it into "
        "the "
        "containerd image store");
  }
}

/// The exporter's attribute (BuildKit exporter/containerimage/exptypes/annotations.go).
std::string AnnotationKey(const options::Annotation& annotation, bool name_platform) {
  bool plain = annotation.type == "manifest" && !name_platform;
  std::string place = plain ? "annotation" : Cat("annotation-", annotation.type);
  if (name_platform) place += Cat("[", FormatPlatform(*annotation.platform), "]");
  return Cat(place, ".", annotation.key);
}

/// What the output says itself, then what --annotation says of all, each once; those of one
/// platform come last, as they win over those of all.
std::vector<options::Annotation> AnnotationsOf(const BuildOptions& options, Item& item) {
  std::vector<options::Annotation> all;
  for (auto attr = item.attrs.begin(); attr != item.attrs.end();) {
    auto own = options::AnnotationOfAttribute(attr->first, attr->second);
    attr = own ? item.attrs.erase(attr) : std::next(attr);
    if (own) all.push_back(*std::move(own));
  }
  for (const options::Annotation& one : options.annotations) {
    std::erase_if(all, [&](const options::Annotation& other) {
      return other.type == one.type && other.platform == one.platform && other.key == one.key;
    });
    all.push_back(one);
  }
  std::stable_partition(all.begin(), all.end(),
                        [](const options::Annotation& one) { return !one.platform; });
  return all;
}

void AnnotateItems(const BuildOptions& options,
                   const ExportFacts& facts,
                   std::vector<Item>& items) {
  const std::vector<Platform>& here = facts.platforms;
  for (Item& item : items) {
    if (item.type == "local" || item.type == "tar") continue;
    for (options::Annotation& annotation : AnnotationsOf(options, item)) {
      const std::optional<Platform>& meant = annotation.platform;
      bool elsewhere = meant && std::find(here.begin(), here.end(), *meant) == here.end();
      // The index of several builders is ours, and so are the descriptors in it; with rules for the
      // tags that of one builder, too.
      const bool ours = facts.several_builders || (options.tagging.given() && IsPush(item));
      if (ours && annotation.type != "manifest") {
        item.destination.annotations.push_back(std::move(annotation));
        continue;
      }
      if (facts.several_builders && elsewhere) continue;
      // A builder that makes one platform looks only at what is said without one.
      bool name_platform = meant && (elsewhere || here.size() > 1);
      item.attrs[AnnotationKey(annotation, name_platform)] = annotation.value;
    }
  }
}

/// All loads of one solve would share the one store that the builder knows. BuildKit knows
/// tar=false as long as it makes attestations, since 0.11.
bool LoadsLayers(const builder::Features& features,
                 const ExportFacts& facts,
                 const std::vector<Item>& items) {
  return facts.load_layers && features.attestations &&
         std::count_if(items.begin(), items.end(), IsLoad) == 1;
}

/// What a store or an archive with room for one platform cannot take.
Result<> RefuseSeveralPlatforms(const builder::Features& features,
                                const ExportFacts& facts,
                                const std::vector<Item>& items) {
  if (facts.platforms.size() < 2 && !facts.several_builders) return {};
  if (features.engine_store && !features.all_exporters) {
    return Fail(Error(ErrorCode::kUnsupported,
                      Cat("--platform: ", kClassic, " builds one platform at a time"))
                    .WithHint("switch the Engine to the containerd image store, or build on "
                              "BuildKit builders (--builder ADDRESS)"));
  }
  bool load = std::any_of(items.begin(), items.end(), IsLoad);
  if (load && !features.engine_store && !facts.engine_containerd_store &&
      !LoadsLayers(features, facts, items)) {
    return Fail(
        Error(ErrorCode::kUnsupported, Cat("--load: ", kClassic, " holds one platform of an image"))
            .WithHint("choose one --platform, use --push, or switch the Engine to the "
                      "containerd image store"));
  }
  return {};
}

/// An Engine's BuildKit pushes by tag alone, and so does the Engine.
Result<> RefuseTagRules(const BuildOptions& options,
                        const builder::Features& features,
                        const std::vector<Item>& items) {
  if (!options.tagging.given() || !features.engine_store) return {};
  if (std::none_of(items.begin(), items.end(), IsPush)) return {};
  return Fail(Error(ErrorCode::kUnsupported,
                    Cat(options.tagging.guard.empty() ? "--merge-index" : "--tag-guard",
                        ": the Docker Engine's BuildKit cannot push without moving the tag"))
                  .WithHint("build on a BuildKit builder: --builder ADDRESS"));
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

/// The classic store has no place for those of an image; buildx builds without a word.
void LeaveOutAnnotations(std::vector<Item>& items, Exports& exports) {
  std::size_t left_out = 0;
  for (Item& item : items) {
    if (item.type != "moby") continue;
    left_out += std::erase_if(item.attrs, [](const auto& attr) {
      return attr.first.starts_with("annotation") && !attr.first.starts_with("annotation-index");
    });
  }
  if (left_out > 0) {
    exports.warnings.push_back(Cat("annotations have no effect: ", kClassic, " keeps none"));
  }
}

Result<> AdaptToEngine(std::vector<Item>& items, bool classic, Exports& exports) {
  KeepInEngine(items);
  if (classic) LeaveOutAnnotations(items, exports);
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

void AdaptToRemote(const builder::Features& features,
                   const ExportFacts& facts,
                   std::vector<Item>& items) {
  const bool layers = LoadsLayers(features, facts, items);
  for (Item& item : items) {
    if (!IsLoad(item) || (!layers && !facts.engine_containerd_store)) continue;
    item.type = "oci";
    if (facts.engine_containerd_store) item.attrs["prefer-image-digest"] = "true";
    if (!layers) continue;
    item.attrs["tar"] = "false";
    item.destination.part = false;
    item.destination.kind = DestinationKind::kEngineLayers;
    item.destination.classic_store = !facts.engine_containerd_store;
    // Such a store takes the compression off again, which costs more time than it saves. But a
    // builder keeps a layer as it first made it, and pushes it so later, whoever asks.
    if (item.destination.classic_store && !item.attrs.contains("compression")) {
      item.attrs.emplace("compression-level", "1");
    }
  }
}

/// An archive of the exporter `docker` has no place for what belongs to an image, and the classic
/// store fails on one that has it nevertheless.
Result<> RefuseAttested(const BuildOptions& options, const Item& item) {
  if (item.type != "docker" || options.attests.empty()) return {};
  std::string what =
      IsLoad(item) ? Cat("--load: ", kClassic) : "--output type=docker: such an archive";
  return Fail(
      Error(ErrorCode::kUnsupported,
            Cat(what, " holds no attestations (", options.attests.begin()->first, ")"))
          .WithHint("use --push or --output type=oci; or make the attestations by a build of "
                    "their own, whose steps are then cached"));
}

Result<> CheckItems(const BuildOptions& options,
                    const ExportFacts& facts,
                    const std::vector<Item>& items) {
  for (const Item& item : items)
    TRY(RefuseAttested(options, item));
  bool image = std::any_of(items.begin(), items.end(), [](const Item& item) {
    return item.type != "local" && item.type != "tar";
  });
  if (!options.iidfile.empty() && !image) {
    const std::string& why = facts.not_loaded;
    return Fail(Error(ErrorCode::kUsage, Cat("--iidfile: there is no image ID: ",
                                             why.empty() ? "this build makes no image" : why))
                    .WithHint("add --push or --load"));
  }
  return {};
}

/// Whether the SBOMs can be read where the exporter puts the image. What it does not put into a
/// store that keeps it is garbage for the builder as soon as the solve has ended.
bool KeepsSboms(const Item& item) {
  return item.type == "moby" || IsOn(item, "push");
}

void AddSbomFiles(const BuildOptions& options, std::vector<Item>& items) {
  if (options.sbom_dir.empty() || std::any_of(items.begin(), items.end(), KeepsSboms)) return;
  items.push_back({"local",
                   {{"attestation-prefix", std::string(kSbomFilePrefix)}},
                   To(DestinationKind::kSbomFiles, "")});
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
  bool nothing = items.empty() && facts.save_as.empty();
  if (nothing && !SaysCacheOnly(options) && !facts.no_default_load) {
    if (features.engine_store) {
      items.push_back({"image", {}, {}});
    } else if (facts.default_load) {
      items.push_back({"docker", {}, To(DestinationKind::kEngineLoad, "")});
    } else if (!facts.not_loaded.empty()) {
      exports.warnings.push_back(facts.not_loaded);
    } else if (!facts.silent) {
      exports.warnings.push_back(
          "no output was asked for: the result stays in the builder's cache; "
          "--push sends it to a registry, --load brings it into docker");
    }
  }
  TRY(TakeLocal(items));
  TRY(NameItems(options, items, exports));
  JoinLoads(items);
  TRY(RefuseTagsByDigest(items));
  TRY(SaveItems(facts.save_as, items));
  WidenArchives(facts, items, exports);
  AnnotateItems(options, facts, items);
  TRY(RefuseSeveralPlatforms(features, facts, items));
  TRY(RefuseTagRules(options, features, items));
  if (facts.several_builders) {
    TRY(ShareAmongBuilders(facts.platforms, items));
  } else if (options.tagging.given()) {
    TRY(LeaveTagsToUs(items));
  }
  if (features.engine_store) {
    TRY(AdaptToEngine(items, !features.all_exporters, exports));
  } else {
    AdaptToRemote(features, facts, items);
  }
  TRY(CheckItems(options, facts, items));
  AddSbomFiles(options, items);
  for (Item& item : items) {
    exports.exporters.push_back({std::move(item.type), std::move(item.attrs)});
    exports.destinations.push_back(std::move(item.destination));
  }
  return exports;
}

bool LeavesLoadToTheDefault(const BuildOptions& options, const Environment& environment) {
  return Asked(options).empty() && !options.save && options.call.method.empty() &&
         !SaysCacheOnly(options) && !SwitchesDefaultLoadOff(environment);
}

bool SwitchesDefaultLoadOff(const Environment& environment) {
  const std::string off = TrimmedVariable(environment, "BUILDX_NO_DEFAULT_LOAD");
  const std::string load = TrimmedVariable(environment, "DEPOT_LOAD");
  return ParseBool(off).value_or(false) || (!load.empty() && !ParseBool(load).value_or(false));
}

Result<std::vector<Reference>> PushTargets(const BuildOptions& options,
                                           const std::vector<std::string>& save_as) {
  Exports unused;
  std::vector<Item> items = Asked(options);
  TRY(NameItems(options, items, unused));
  TRY(SaveItems(save_as, items));
  std::vector<Reference> targets;
  std::set<std::string> repositories;
  for (Item& item : items) {
    if (!IsPush(item)) continue;
    for (std::string_view part : Split(item.attrs["name"], ',')) {
      if (Trim(part).empty()) continue;
      TRY_ASSIGN(Reference reference, ParseReference(Trim(part)));
      if (!repositories.insert(RepositoryOf(reference)).second) continue;
      targets.push_back(std::move(reference));
    }
  }
  return targets;
}

std::set<std::string> InsecureRegistries(const BuildOptions& options) {
  std::set<std::string> insecure;
  for (const Output& output : options.outputs) {
    auto said = output.attrs.find("registry.insecure");
    if (said == output.attrs.end() || !ParseBool(said->second).value_or(false)) continue;
    std::vector<std::string> names = options.tags;
    if (auto name = output.attrs.find("name"); name != output.attrs.end()) {
      for (std::string_view part : Split(name->second, ','))
        names.emplace_back(Trim(part));
    }
    for (const std::string& name : names) {
      if (auto reference = ParseReference(name)) insecure.insert(LowerAscii(reference->domain));
    }
  }
  return insecure;
}

}  // namespace depot::plan
