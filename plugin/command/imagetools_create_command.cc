#include "plugin/command/imagetools_create_command.h"

#include <set>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/disk/lookup.h"
#include "driver/disk/whole_file.h"
#include "driver/oci/digest.h"
#include "driver/oci/index_text.h"
#include "driver/registry/combine.h"
#include "driver/registry/copy.h"
#include "plugin/command/chosen_sink.h"
#include "plugin/command/command_line.h"
#include "plugin/deliver/join_platforms.h"
#include "plugin/job/image_places.h"
#include "plugin/job/registry_access.h"
#include "plugin/options/annotation_flag.h"
#include "plugin/options/flag_values.h"

namespace depot::command {
namespace {

constexpr std::size_t kMaxSourceFile = 4 << 20;
constexpr std::size_t kMaxSources = 500;

struct CreateImageOptions {
  std::vector<std::string> sources;
  std::vector<std::string> files;
  std::vector<job::ImageName> tags;
  std::vector<options::Annotation> annotations;
  std::vector<Platform> platforms;
  options::ProgressMode progress = options::ProgressMode::kAuto;
  std::string metadata_file;
  bool append = false;
  bool dry_run = false;
  bool prefer_index = true;
};

/// A source as the user wrote it.
struct SourceWords {
  std::optional<job::ImageName> image;  ///< unset: it is in the one repository that was named
  std::string digest;                   ///< of what is meant; "" = as `image` says
  Json descriptor;                      ///< what was said of it beside its digest; null = nothing
};

flags::FlagSetter AddAnnotations(std::vector<options::Annotation>& target) {
  return [&target](const std::string& value) -> Result<> {
    TRY_ASSIGN(auto annotations, options::ParseAnnotation(value));
    target.insert(target.end(), annotations.begin(), annotations.end());
    return {};
  };
}

flags::FlagSetter AddPlatforms(std::vector<Platform>& target) {
  return [&target](const std::string& value) -> Result<> {
    TRY_ASSIGN(auto platforms, options::ParsePlatforms(value));
    target.insert(target.end(), platforms.begin(), platforms.end());
    return {};
  };
}

CommandLine CreateImageLine(CreateImageOptions& options) {
  constexpr flags::FlagKind kText = flags::FlagKind::kText;
  constexpr flags::FlagKind kSwitch = flags::FlagKind::kSwitch;
  return {.words = "imagetools create",
          .description = "Make an image of images that a registry or an OCI layout has",
          .flags = {{"annotation", 0, kText, "list", "Add annotation to the image",
                     AddAnnotations(options.annotations)},
                    {"append", 0, kSwitch, "", "Append to the image that the first --tag names",
                     flags::Into(options.append)},
                    {"dry-run", 0, kSwitch, "", "Print the image instead of writing it",
                     flags::Into(options.dry_run)},
                    {"file", 'f', kText, "list", "Read a source from this file",
                     flags::Added(options.files)},
                    {"metadata-file", 0, kText, "string", "Write what was made to a file",
                     flags::Into(options.metadata_file)},
                    {"platform", 'p', kText, "list", "Keep only the images of these platforms",
                     AddPlatforms(options.platforms)},
                    {"prefer-index", 0, kSwitch, "",
                     "Make an index also of a single image (default true)",
                     flags::Into(options.prefer_index)},
                    {"progress", 0, kText, "string",
                     "Type of progress output: \"none\" and \"quiet\" are silent",
                     flags::Parsed(options.progress, options::ParseProgress)},
                    {"tag", 't', kText, "list", "Name the image so",
                     flags::Added(options.tags, job::ParseImageName)}},
          .argument = "[SOURCE...]",
          .targets = &options.sources};
}

Result<SourceWords> ParseDescriptorWords(const std::string& text) {
  SourceWords source;
  TRY_ASSIGN(source.descriptor, Json::Parse(text));
  if (source.descriptor.Has("schemaVersion")) {
    return Fail(ErrorCode::kInvalid, "it is a manifest or an index, and not a descriptor of one");
  }
  source.digest = source.descriptor["digest"].AsString();
  if (!IsDigest(source.digest)) return Fail(ErrorCode::kInvalid, "it has no sha256 digest");
  return source;
}

Result<SourceWords> ParseSourceWords(const std::string& text) {
  SourceWords source;
  if (IsDigest(text)) {
    source.digest = text;
    return source;
  }
  Result<SourceWords> read = source;
  if (text.starts_with('{')) {
    read = ParseDescriptorWords(text);
  } else {
    auto image = job::ParseImageName(text);
    if (image) {
      read->image = *std::move(image);
    } else {
      read = Fail(std::move(image).error());
    }
  }
  if (read) return read;
  return Fail(Error(ErrorCode::kUsage, Cat("the source \"", Printable(text.substr(0, 200)),
                                           "\": ", read.error().message()))
                  .WithHint("a source is an image, a digest or a descriptor"));
}

/// Makes the image, once.
class ImageCreation {
 public:
  ImageCreation(CreateImageOptions& options,
                job::Workshop& workshop,
                EventSink& sink,
                const Call& call)
      : options_(options),
        workshop_(workshop),
        sink_(sink),
        call_(call),
        access_(workshop, {}, sink),
        registries_(access_.Open({})),
        places_(*registries_) {}

  Result<> Run() {
    for (std::string& line : options::UnknownPlatforms("--platform", options_.platforms))
      sink_.Say(std::move(line));
    TRY_ASSIGN(std::vector<SourceWords> words, ReadSources());
    TRY(PlaceSources(words));
    for (const SourceWords& source : words)
      TRY(Fetch(source));
    request_.annotations = deliver::IndexAnnotationsOf(options_.annotations);
    request_.prefer_index = options_.prefer_index;
    request_.platforms = options_.platforms;
    TRY_ASSIGN(registry::CombinedImage image, registry::CombineImages(request_, call_.cancel));
    if (!image.annotated && !options_.annotations.empty()) {
      sink_.Say(
          "WARNING: --annotation has no effect: all images are Docker's, whose lists have no "
          "place for annotations");
    }
    if (options_.dry_run) return call_.terminal.WriteResult(Cat(image.bytes, '\n'), call_.cancel);
    TRY(CopyParts(image));
    for (const job::ImageName& tag : options_.tags)
      TRY(Write(image, tag));
    return WriteMetadata(image);
  }

 private:
  Result<std::vector<SourceWords>> ReadSources() {
    std::vector<std::string> texts;
    if (options_.append && !options_.tags.empty()) {
      texts.push_back(job::FormatImageName(options_.tags.front()));
    }
    for (const std::string& path : options_.files) {
      TRY_ASSIGN(std::string text, disk::ReadTyped(path, kMaxSourceFile, call_.cancel));
      texts.emplace_back(Trim(text));
    }
    texts.insert(texts.end(), options_.sources.begin(), options_.sources.end());
    if (texts.size() > kMaxSources) {
      return Fail(ErrorCode::kUsage, Cat("more than ", kMaxSources, " sources"));
    }
    std::vector<SourceWords> words;
    for (const std::string& text : texts) {
      TRY_ASSIGN(SourceWords source, ParseSourceWords(text));
      words.push_back(std::move(source));
    }
    return words;
  }

  /// Sources without a repository are in the only one that is named.
  Result<> PlaceSources(std::vector<SourceWords>& words) {
    std::map<std::string, job::ImageName> named;
    for (const job::ImageName& tag : options_.tags)
      named.emplace(job::PlaceOf(tag), tag);
    for (const SourceWords& source : words) {
      if (source.image) named.insert_or_assign(job::PlaceOf(*source.image), *source.image);
    }
    for (SourceWords& source : words) {
      if (source.image) continue;
      if (named.size() != 1) {
        return Fail(ErrorCode::kUsage,
                    Cat(named.empty() ? "no repository is named" : "several repositories are named",
                        ", so that nobody knows in which ", source.digest, " is"));
      }
      source.image = named.begin()->second;
      source.image->tag.clear();
      source.image->digest = source.digest;
      source.image->reference.tag.clear();
      source.image->reference.digest = source.digest;
    }
    return {};
  }

  Result<> Fetch(const SourceWords& words) {
    registry::CombineSource source;
    TRY_ASSIGN(source.repository, places_.ToRead(*words.image));
    const std::string& target =
        words.image->digest.empty() ? words.image->tag : words.image->digest;
    TRY_ASSIGN(registry::StoredManifest stored,
               source.repository->GetManifest(target, call_.cancel));
    Json json = words.descriptor.is_object() ? words.descriptor : Json::Object();
    const auto size = static_cast<std::int64_t>(stored.bytes.size());
    if (json["size"].AsInt(size) != size) {
      return Fail(ErrorCode::kInvalid,
                  Cat(stored.digest, " has ", size, " bytes, and its descriptor says otherwise"));
    }
    json.Set("size", Json::Number(size));
    json.Set("digest", Json::String(stored.digest));
    if (!json.Has("mediaType")) json.Set("mediaType", Json::String(stored.media_type));
    TRY_ASSIGN(source.descriptor, ReadDescriptor(json));
    source.descriptor.media_type = stored.media_type;
    source.bytes = std::move(stored.bytes);
    request_.sources.push_back(std::move(source));
    names_.push_back(*words.image);
    return {};
  }

  /// Before the first tag is written.
  Result<> CopyParts(const registry::CombinedImage& image) {
    std::set<std::string> done;
    for (const job::ImageName& tag : options_.tags) {
      if (!done.insert(job::PlaceOf(tag)).second) continue;
      TRY_ASSIGN(registry::Repository * to, places_.ToWrite(tag));
      for (const registry::CombinePart& part : image.parts)
        TRY(CopyPart(part, tag, *to));
    }
    return {};
  }

  Result<> CopyPart(const registry::CombinePart& part,
                    const job::ImageName& tag,
                    registry::Repository& to) {
    const job::ImageName& from = names_[part.source];
    if (job::PlaceOf(from) == job::PlaceOf(tag)) return {};
    const bool mounts =
        from.layout.empty() && tag.layout.empty() && from.reference.domain == tag.reference.domain;
    const registry::CopyPlaces places{
        *request_.sources[part.source].repository, to, mounts ? from.reference.path : "",
        workshop_.TemporaryDirectory(), [this](std::string line) { sink_.Say(std::move(line)); }};
    return registry::CopyManifest(places, part.descriptor, call_.cancel);
  }

  Result<> Write(const registry::CombinedImage& image, const job::ImageName& tag) {
    TRY_ASSIGN(registry::Repository * to, places_.ToWrite(tag));
    const std::string target = tag.tag.empty() ? image.digest : tag.tag;
    TRY(to->PutManifest(target, image.media_type, image.bytes, call_.cancel));
    sink_.Say(Cat("pushed ", job::FormatImageName(tag), '@', image.digest));
    return {};
  }

  Result<> WriteMetadata(const registry::CombinedImage& image) {
    if (options_.metadata_file.empty()) return {};
    Json descriptor = Json::Object();
    descriptor.Set("mediaType", Json::String(image.media_type));
    descriptor.Set("digest", Json::String(image.digest));
    descriptor.Set("size", Json::Number(static_cast<std::int64_t>(image.bytes.size())));
    std::set<std::string> places;
    for (const job::ImageName& tag : options_.tags)
      places.insert(job::PlaceOf(tag));
    Json json = Json::Object();
    json.Set("containerimage.descriptor", std::move(descriptor));
    json.Set("image.name", Json::String(Join({places.begin(), places.end()}, ",")));
    TRY_ASSIGN(auto file, disk::OpenWholeFile(options_.metadata_file, false));
    TRY(file->Write(FormatOciJson(json)));
    return file->Commit();
  }

  const CreateImageOptions& options_;
  job::Workshop& workshop_;
  EventSink& sink_;
  const Call& call_;
  job::RegistryAccess access_;
  std::unique_ptr<registry::Registries> registries_;
  job::ImagePlaces places_;
  registry::CombineRequest request_;
  std::vector<job::ImageName> names_;  ///< of the request's sources
};

Result<> CheckCreation(const CreateImageOptions& options) {
  const bool appends = options.append && !options.tags.empty();
  if (options.sources.empty() && options.files.empty() && !appends) {
    return Fail(ErrorCode::kUsage, "no source is named");
  }
  if (!options.dry_run && options.tags.empty()) {
    return Fail(Error(ErrorCode::kUsage, "nothing says where to write the image to")
                    .WithHint("give --tag NAME, or --dry-run to look at it"));
  }
  for (const options::Annotation& one : options.annotations) {
    if (one.type == "index" || one.type == "manifest-descriptor") continue;
    return Fail(Error(ErrorCode::kUsage, Cat("--annotation: an image that is there already cannot "
                                             "get one of the type ",
                                             one.type))
                    .WithHint("give index:KEY=VALUE or manifest-descriptor:KEY=VALUE"));
  }
  return {};
}

}  // namespace

Result<> RunImagetoolsCreate(const Call& call) {
  CreateImageOptions options;
  TRY_ASSIGN(bool runs, ReadCommandLine(CreateImageLine(options), call));
  if (!runs) return {};
  TRY(CheckCreation(options));
  ChosenSink chosen(options.progress, call);
  job::Workshop workshop(call.environment, call.globals, call.version);
  workshop.SayTo(&chosen.sink());
  TRY(workshop.ReadDocker());
  return ImageCreation(options, workshop, chosen.sink(), call).Run();
}

}  // namespace depot::command
