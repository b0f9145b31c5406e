#include "plugin/command/imagetools_inspect_command.h"

#include "driver/base/shown.h"
#include "driver/base/tab_columns.h"
#include "driver/base/text.h"
#include "driver/oci/index_text.h"
#include "driver/oci/manifest.h"
#include "driver/registry/repository.h"
#include "plugin/command/command_line.h"
#include "plugin/command/go_template.h"
#include "plugin/command/image_details.h"
#include "plugin/job/image_places.h"
#include "plugin/job/registry_access.h"
#include "plugin/progress/line_sink.h"

namespace depot::command {
namespace {

struct ImageQuestion {
  std::string name;
  std::string format;
  bool raw = false;
};

CommandLine InspectImageLine(ImageQuestion& question) {
  constexpr flags::FlagKind kText = flags::FlagKind::kText;
  return {.words = "imagetools inspect",
          .description = "Show what a registry or an OCI layout has under a name",
          .flags = {{"format", 0, kText, "string",
                     "Fill in this Go template (.Name, .Manifest, .Image, .SBOM, .Provenance)",
                     flags::Into(question.format)},
                    {"raw", 0, flags::FlagKind::kSwitch, "",
                     "Print the index or manifest byte for byte", flags::Into(question.raw)}},
          .argument = "NAME",
          .target = &question.name};
}

Result<job::ImageName> NameIn(ImageQuestion& question, std::string_view program) {
  std::string usage = Cat("usage: ", UsageOf(InspectImageLine(question), program));
  if (question.name.empty()) {
    return Fail(Error(ErrorCode::kUsage, Cat("'", program,
                                             " imagetools inspect' requires 1 "
                                             "argument, the name of an image"))
                    .WithHint(std::move(usage)));
  }
  if (question.raw && !question.format.empty()) {
    return Fail(ErrorCode::kUsage, "--format and --raw cannot be used together");
  }
  Result<job::ImageName> name = job::ParseImageName(question.name);
  if (name) return name;
  return Fail(std::move(name).error().WithHint(std::move(usage)));
}

std::string EntryRow(std::string_view heading, std::string_view value) {
  return Cat("  ", heading, ":\t", Printable(value), '\n');
}

std::string JoinedTexts(const Json& list) {
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < list.size(); ++i)
    texts.push_back(list[i].AsString());
  return Join(texts, ", ");
}

/// Of an entry whose platform is known; lines up to here are aligned among themselves.
std::string AnnotationRows(const Json& annotations) {
  std::string rows;
  for (const std::string& key : annotations.Keys())
    rows += Cat("    ", Printable(key), ":\t", Printable(annotations[key].AsString()), '\n');
  return AlignTabs(rows);
}

std::string PlatformRows(const Descriptor& entry) {
  const Json platform = entry.json["platform"];
  std::string rows = EntryRow("Platform", FormatPlatform(*entry.platform));
  const std::string version = platform["os.version"].AsString();
  if (!version.empty()) rows += EntryRow("OSVersion", version);
  if (platform["os.features"].size() > 0) {
    rows += EntryRow("OSFeatures", JoinedTexts(platform["os.features"]));
  }
  if (entry.json["urls"].size() > 0) rows += EntryRow("URLs", JoinedTexts(entry.json["urls"]));
  return rows;
}

/// buildx util/imagetools/printers.go, printManifestList().
std::string ListOf(const ImageIndex& index, const job::ImageName& name) {
  std::string text = AlignTabs("\t\nManifests:\t\n");
  std::string rows;
  for (const Descriptor& entry : index.manifests) {
    if (&entry != &index.manifests.front()) rows += "\t\n";
    job::ImageName named = name;
    named.digest = entry.digest;
    named.reference.digest = entry.digest;
    rows +=
        Cat(EntryRow("Name", job::FormatImageName(named)), EntryRow("MediaType", entry.media_type));
    if (!entry.platform) continue;
    rows += PlatformRows(entry);
    const Json annotations = entry.json["annotations"];
    if (annotations.size() == 0) continue;
    text += AlignTabs(Cat(rows, "  Annotations:\t\n")) + AnnotationRows(annotations);
    rows.clear();
  }
  return text + AlignTabs(rows);
}

Result<std::string> TextOf(const registry::StoredManifest& stored, const job::ImageName& name) {
  std::string text =
      AlignTabs(Cat("Name:\t", Printable(job::FormatImageName(name)), "\nMediaType:\t",
                    stored.media_type, "\nDigest:\t", stored.digest, "\n"));
  if (!IsIndex(stored.media_type)) return text;
  Result<ImageIndex> index = ParseIndex(stored.bytes);
  if (index) return text + ListOf(*index, name);
  return Fail(std::move(index).error().While(Cat("the index ", stored.digest)));
}

bool IsWhole(std::string_view format) {
  return format.starts_with("{{.Manifest}}") || format == "{{ .Manifest }}";
}

}  // namespace

Result<> RunImagetoolsInspect(const Call& call) {
  ImageQuestion question;
  TRY_ASSIGN(bool runs, ReadCommandLine(InspectImageLine(question), call));
  if (!runs) return {};
  TRY_ASSIGN(job::ImageName name, NameIn(question, call.program));
  TRY_ASSIGN(GoTemplate format, GoTemplate::Parse(question.format));
  LineSink sink(call.terminal, call.cancel);
  job::Workshop workshop(call.environment, call.globals, call.version);
  workshop.SayTo(&sink);
  TRY(workshop.ReadDocker());
  job::RegistryAccess access(workshop, {}, sink);
  auto registries = access.Open({});
  job::ImagePlaces places(*registries);
  TRY_ASSIGN(registry::Repository * repository, places.ToRead(name));
  const std::string& target = name.digest.empty() ? name.tag : name.digest;
  TRY_ASSIGN(registry::StoredManifest stored, repository->GetManifest(target, call.cancel));
  if (question.raw) return call.terminal.WriteResult(stored.bytes, call.cancel);
  if (question.format.empty() || IsWhole(question.format)) {
    TRY_ASSIGN(std::string text, TextOf(stored, name));
    return call.terminal.WriteResult(text, call.cancel);
  }
  const DetailsWanted wanted{format.Mentions("SBOM"), format.Mentions("Provenance")};
  TRY_ASSIGN(Json data, ReadImageDetails(*repository, question.name, stored, wanted, call.cancel));
  TRY_ASSIGN(std::string text, format.Run(data, FormatOciJson));
  return call.terminal.WriteResult(text, call.cancel);
}

}  // namespace depot::command
