#include "plugin/command/inspect_command.h"

#include <optional>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/oci/manifest.h"
#include "driver/registry/repository.h"
#include "plugin/command/command_line.h"
#include "plugin/job/registry_access.h"
#include "plugin/progress/line_sink.h"

namespace depot::command {
namespace {

constexpr std::string_view kPredicateType = "in-toto.io/predicate-type";

struct InspectOptions {
  std::string name;
  bool raw = false;
};

CommandLine InspectLine(InspectOptions& options) {
  return {.words = "inspect",
          .description = "Show what a registry has under a name",
          .flags = {{"raw", 0, flags::FlagKind::kSwitch, "",
                     "Print the index or manifest byte for byte", flags::Into(options.raw)}},
          .argument = "NAME",
          .target = &options.name};
}

Result<Reference> NameIn(InspectOptions& options, std::string_view program) {
  std::string usage = Cat("usage: ", UsageOf(InspectLine(options), program));
  if (options.name.empty()) {
    return Fail(Error(ErrorCode::kUsage,
                      Cat("'", program, " inspect' requires 1 argument, the name of an image"))
                    .WithHint(std::move(usage)));
  }
  Result<Reference> name = ParseReference(options.name);
  if (name) return name;
  return Fail(Error(ErrorCode::kUsage, name.error().message()).WithHint(std::move(usage)));
}

std::string Annotations(const Json& annotations, std::string_view indent) {
  if (annotations.size() == 0) return "";
  std::string text = Cat(indent, "Annotations:\n");
  for (const std::string& key : annotations.Keys())
    text += Cat(indent, "  ", Printable(key), ": ", Printable(annotations[key].AsString()), "\n");
  return text;
}

/// Writes about one image or index of a registry. It prints only what it has checked or made
/// printable: all of it was written by others.
class Report {
 public:
  Report(registry::Repository& repository, const Cancel& cancel)
      : repository_(repository), cancel_(cancel) {}

  Result<std::string> About(const Reference& name, const registry::StoredManifest& stored) {
    text_ = Cat("Name:      ", FormatReference(name), "\nMediaType: ", stored.media_type,
                "\nDigest:    ", stored.digest, "\n");
    Result<> told = IsIndex(stored.media_type) ? TellIndex(stored) : TellImage(stored);
    if (!told) return Fail(std::move(told).error());
    return std::move(text_);
  }

 private:
  Result<> TellImage(const registry::StoredManifest& stored) {
    TRY_ASSIGN(Json said, registry::ReadImagePlatform(repository_, stored.bytes, cancel_));
    std::optional<Platform> platform = ReadPlatform(said);
    if (platform) text_ += Cat("Platform:  ", Printable(FormatPlatform(*platform)), "\n");
    return TellAnnotations(stored);
  }

  Result<> TellIndex(const registry::StoredManifest& stored) {
    Result<ImageIndex> index = ParseIndex(stored.bytes);
    if (!index) {
      return Fail(std::move(index).error().While(
          Cat("the index ", repository_.name(), '@', stored.digest)));
    }
    TRY(TellAnnotations(stored));
    text_ += "\nPlatforms:\n";
    for (const Descriptor& entry : index->manifests) {
      if (!AttestedDigest(entry).empty()) continue;
      std::string platform =
          entry.platform ? Printable(FormatPlatform(*entry.platform)) : "no platform named";
      text_ += Cat("  ", platform, "\n    Digest:    ", entry.digest,
                   "\n    MediaType: ", Printable(entry.media_type), "\n",
                   Annotations(entry.json["annotations"], "    "));
      for (const Descriptor& attestation : index->manifests) {
        if (AttestedDigest(attestation) == entry.digest) TRY(TellAttestation(attestation));
      }
    }
    return {};
  }

  Result<> TellAttestation(const Descriptor& attestation) {
    TRY_ASSIGN(registry::StoredManifest stored,
               repository_.GetManifest(attestation.digest, cancel_));
    Result<Manifest> manifest = ParseManifest(stored.bytes);
    if (!manifest) {
      return Fail(std::move(manifest).error().While(
          Cat("the attestation manifest ", repository_.name(), '@', attestation.digest)));
    }
    text_ += Cat("    Attestations: ", attestation.digest, "\n");
    for (const Descriptor& layer : manifest->layers) {
      auto type = layer.annotations.find(std::string(kPredicateType));
      bool named = type != layer.annotations.end();
      text_ += Cat("      ", named ? Printable(type->second) : Printable(layer.media_type), "\n");
    }
    return {};
  }

  Result<> TellAnnotations(const registry::StoredManifest& stored) {
    TRY_ASSIGN(Json json, Json::Parse(stored.bytes));
    text_ += Annotations(json["annotations"], "");
    return {};
  }

  registry::Repository& repository_;
  const Cancel& cancel_;
  std::string text_;
};

}  // namespace

Result<> RunInspect(const Call& call) {
  InspectOptions options;
  TRY_ASSIGN(bool runs, ReadCommandLine(InspectLine(options), call));
  if (!runs) return {};
  TRY_ASSIGN(Reference name, NameIn(options, call.program));
  LineSink sink(call.terminal, call.cancel);
  job::Workshop workshop(call.environment, call.globals, call.version);
  TRY(workshop.ReadDocker());
  job::RegistryAccess access(workshop, {}, sink);
  auto registries = access.Open({});
  auto repository = registries->Open(name, registry::Access::kPull);
  const std::string& target = name.digest.empty() ? name.tag : name.digest;
  TRY_ASSIGN(registry::StoredManifest stored, repository->GetManifest(target, call.cancel));
  if (options.raw) return call.terminal.WriteResult(stored.bytes, call.cancel);
  TRY_ASSIGN(std::string text, Report(*repository, call.cancel).About(name, stored));
  return call.terminal.WriteResult(text, call.cancel);
}

}  // namespace depot::command
