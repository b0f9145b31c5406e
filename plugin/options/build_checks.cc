#include "plugin/options/build_checks.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <type_traits>
#include <utility>
#include <vector>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/oci/reference.h"
#include "plugin/options/attributes.h"

namespace depot::options {
namespace {

bool IsOn(const Output& output, const std::string& key) {
  auto found = output.attrs.find(key);
  return found != output.attrs.end() && ParseBool(found->second).value_or(false);
}

bool IsImage(const Output& output) {
  return output.type == "image" || output.type == "registry";
}

/// Whether any result is an image; without --output that is for the builder to say.
bool MakesImage(const BuildOptions& options) {
  if (options.outputs.empty() || options.push || options.load) return true;
  return std::any_of(options.outputs.begin(), options.outputs.end(), [](const Output& output) {
    return output.type != "local" && output.type != "tar" && output.type != "cacheonly";
  });
}

bool HasName(const BuildOptions& options, const Output& output) {
  auto name = output.attrs.find("name");
  return !options.tags.empty() || (name != output.attrs.end() && !name->second.empty());
}

Result<> CheckNames(const BuildOptions& options) {
  for (const Output& output : options.outputs) {
    auto name = output.attrs.find("name");
    if (name == output.attrs.end() || name->second.empty()) continue;
    for (std::string_view part : Split(name->second, ',')) {
      auto reference = ParseReference(Trim(part));
      if (!reference) {
        return Fail(Usage(reference.error().message()).While("--output name"));
      }
    }
  }
  return {};
}

Result<> CheckPush(const BuildOptions& options) {
  bool has_image = std::any_of(options.outputs.begin(), options.outputs.end(), IsImage);
  if (options.push && !has_image && options.tags.empty()) {
    return Fail(Usage("--push needs a name").WithHint("add --tag REGISTRY/NAME:TAG"));
  }
  for (const Output& output : options.outputs) {
    if (!IsImage(output)) continue;
    bool push = options.push || output.type == "registry" || IsOn(output, "push");
    if (push && !HasName(options, output)) {
      std::string what = options.push ? "--push" : Cat("--output type=", output.type, ": to push");
      return Fail(Usage(Cat(what, " needs a name")).WithHint("add --tag REGISTRY/NAME:TAG"));
    }
    if (IsOn(output, "push-by-digest") && !options.tags.empty()) {
      return Fail(Usage("push-by-digest=true pushes without a tag, but --tag is given")
                      .WithHint("give the repository in the output: name=REGISTRY/NAME"));
    }
  }
  return {};
}

/// Where an output's bytes go, as a key for comparing: "-", a cleaned path, or "" (elsewhere).
std::string PlaceOf(const Output& output) {
  bool archive = output.type == "tar" || output.type == "oci";
  if (output.dest == "-" || (archive && output.dest.empty())) return "-";
  return output.dest.empty() ? "" : CleanPath(output.dest);
}

std::string InWords(const Output& output) {
  std::string words = Cat("type=", output.type);
  return output.dest.empty() ? words : Cat(words, ",dest=", Printable(output.dest));
}

/// Devices and pipes take as much as anybody says; a link (/dev/stderr) may lead to one.
bool TakesAll(const std::string& path) {
  std::error_code unseen;
  const auto there = std::filesystem::symlink_status(path, unseen);
  return std::filesystem::exists(there) && !std::filesystem::is_regular_file(there);
}

/// Whatever is written, by the place where it goes.
std::vector<std::pair<std::string, std::string>> PlacesOf(const BuildOptions& options) {
  std::vector<std::pair<std::string, std::string>> places;
  for (const Output& output : options.outputs)
    places.emplace_back(PlaceOf(output), InWords(output));
  const std::pair<const std::string&, const char*> reports[] = {
      {options.iidfile, "--iidfile"},
      {options.metadata_file, "--metadata-file"},
      {options.reports.log, "--log-file"},
      {options.reports.dotenv, "--dotenv-file"},
      {options.reports.code_quality, "--code-quality-file"},
      {options.reports.timeline, "--timeline"},
  };
  for (const auto& [path, flag] : reports) {
    if (!path.empty() && !TakesAll(path)) {
      places.emplace_back(CleanPath(path), flag);
    }
  }
  return places;
}

Result<> CheckPlaces(const BuildOptions& options) {
  std::map<std::string, std::string> taken;
  for (const auto& [place, what] : PlacesOf(options)) {
    if (place.empty()) continue;
    auto [first, alone] = taken.emplace(place, what);
    if (alone) continue;
    std::string where = place == "-" ? "standard output" : Printable(place);
    return Fail(Usage(Cat("several outputs go to ", where, ": ", first->second, " and ", what))
                    .WithHint("give each a place of its own"));
  }
  return {};
}

Result<> CheckImageIdFile(const BuildOptions& options) {
  if (options.iidfile.empty() || MakesImage(options)) return {};
  return Fail(Usage("--iidfile: the outputs asked for make no image, so there is no image ID")
                  .WithHint("add --push or --load, or leave --iidfile out"));
}

Result<> CheckAttached(const BuildOptions& options) {
  if (!options.annotations.empty() && !MakesImage(options)) {
    return Fail(Usage("--annotation: the outputs asked for make no image, so nothing can carry it")
                    .WithHint("add --push or --load, or leave --annotation out"));
  }
  if (!options.sbom_dir.empty() && options.attests_disabled.contains("sbom")) {
    return Fail(Usage("--sbom-dir wants an SBOM, but it is switched off")
                    .WithHint("leave out --sbom=false, or --sbom-dir"));
  }
  if (!options.save_tags.empty() && !options.save) {
    return Fail(Usage("--save-tag names an image that is not saved").WithHint("add --save"));
  }
  return {};
}

Result<> CheckTagging(const BuildOptions& options) {
  const TagOptions& tagging = options.tagging;
  if (!tagging.given()) return {};
  const std::string_view flag = tagging.guard.empty() ? "--merge-index" : "--tag-guard";
  if (!Pushes(options)) {
    return Fail(Usage(Cat(flag, " is about tags that are pushed, and nothing is"))
                    .WithHint("add --push and --tag REGISTRY/NAME:TAG"));
  }
  for (const Output& output : options.outputs) {
    if (!IsImage(output) || !IsOn(output, "push-by-digest")) continue;
    return Fail(Usage(Cat(flag, " is about tags, and push-by-digest=true pushes without one"))
                    .WithHint("leave one of the two out: with the flag the push goes by digest "
                              "first in any case"));
  }
  return {};
}

Result<> CheckEmulation(const BuildOptions& options) {
  if (!options.emulate || !options.native_only.value_or(false)) return {};
  return Fail(Usage("--native-only and --emulate contradict each other"));
}

Result<> CheckSecretIds(const BuildOptions& options) {
  std::set<std::string> ids;
  for (const SecretSource& secret : options.secrets) {
    if (ids.insert(secret.id).second) continue;
    return Fail(Usage(Cat("--secret id=", Printable(secret.id), " is given twice")));
  }
  return {};
}

}  // namespace

void ImplySbom(BuildOptions& options) {
  if (!options.sbom_dir.empty()) options.sbom_implied = options.attests.try_emplace("sbom").second;
}

bool Pushes(const BuildOptions& options) {
  return options.push || options.save ||
         std::any_of(options.outputs.begin(), options.outputs.end(), [](const Output& output) {
           return output.type == "registry" || (IsImage(output) && IsOn(output, "push"));
         });
}

void LeaveOutResults(BuildOptions& options) {
  std::vector<std::string> vain;
  auto leave_out = [&vain](auto& value, std::string_view flag) {
    if (value == std::remove_reference_t<decltype(value)>{}) return;
    vain.emplace_back(flag);
    value = {};
  };
  leave_out(options.push, "--push");
  leave_out(options.load, "--load");
  leave_out(options.save, "--save");
  leave_out(options.iidfile, "--iidfile");
  leave_out(options.sbom_dir, "--sbom-dir");
  leave_out(options.tagging.guard, "--tag-guard");
  leave_out(options.tagging.merge_index, "--merge-index");
  if (!options.outputs.empty()) vain.emplace_back("--output");
  if (!options.annotations.empty()) vain.emplace_back("--annotation");
  if (!options.attests.empty()) vain.emplace_back("attestations");
  options.outputs.clear();
  options.annotations.clear();
  options.save_tags.clear();
  options.attests.clear();
  options.attests_disabled = {"provenance"};
  options.lint.wanted = false;
  options.suppress_no_output_warning = true;
  if (vain.empty()) return;
  options.notices.push_back(Cat("nothing is built with --call=", Printable(options.call.method),
                                ", so there is no ", "result for ", Join(vain, ", ")));
}

Result<> CheckTogether(const BuildOptions& options) {
  if (options.quiet && options.progress != ProgressMode::kAuto &&
      options.progress != ProgressMode::kQuiet) {
    return Fail(
        Usage("--quiet and a --progress other than auto and quiet cannot be used together"));
  }
  if (options.no_cache && !options.no_cache_filter.empty()) {
    return Fail(Usage("--no-cache and --no-cache-filter cannot currently be used together")
                    .WithHint("--no-cache is for all stages already"));
  }
  TRY(CheckSecretIds(options));
  TRY(CheckNames(options));
  TRY(CheckPush(options));
  TRY(CheckTagging(options));
  TRY(CheckPlaces(options));
  TRY(CheckAttached(options));
  TRY(CheckEmulation(options));
  return CheckImageIdFile(options);
}

}  // namespace depot::options
