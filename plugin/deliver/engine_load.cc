#include "plugin/deliver/engine_load.h"

#include <algorithm>

#include "driver/base/encode.h"
#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/event/step.h"
#include "driver/oci/index_text.h"
#include "driver/oci/platform_list.h"
#include "driver/oci/reference.h"
#include "plugin/deliver/engine_holdings.h"
#include "plugin/deliver/image_stream.h"
#include "plugin/deliver/join_platforms.h"
#include "plugin/progress/figures.h"

namespace depot::deliver {
namespace {

constexpr std::size_t kShownDigits = 12;

std::string ShownLayer(const Descriptor& layer) {
  return Cat("layer ", layer.digest.substr(layer.digest.find(':') + 1, kShownDigits));
}

/// How much of an image moves.
struct Traffic {
  std::int64_t moved = 0;
  std::int64_t total = 0;
  std::size_t layers_there = 0;
  std::size_t layers = 0;
};

std::string ShownTraffic(const Traffic& traffic) {
  return Cat("moved ", ShownBytes(traffic.moved), " of ", ShownBytes(traffic.total), ": ",
             traffic.layers_there, " of ", traffic.layers, " layers were there");
}

/// manifest.json, which a classic store reads (moby image/tarexport).
std::string ClassicManifest(const ImagePart& part, const std::vector<std::string>& names) {
  Json layers = Json::Array();
  for (const Descriptor& layer : part.manifest.layers)
    layers.Append(Json::String(PlaceOfBlob(layer.digest)));
  Json tags = Json::Array();
  for (const std::string& name : names)
    tags.Append(Json::String(name));
  Json image = Json::Object();
  image.Set("Config", Json::String(PlaceOfBlob(part.manifest.config.digest)));
  image.Set("RepoTags", std::move(tags));
  image.Set("Layers", std::move(layers));
  Json list = Json::Array();
  list.Append(std::move(image));
  return list.Dump();
}

/// One load, from the description to the names.
class Loading {
 public:
  Loading(const EngineLoad& load, EventSink& sink, const Cancel& cancel)
      : load_(load),
        sink_(sink),
        cancel_(cancel),
        remembered_(load.record_folder, load.info.id),
        step_(sink, "importing to docker") {}

  Result<EngineLoaded> Run() {
    Result<EngineLoaded> loaded = Load();
    if (loaded && loaded->source_lacks) {
      step_.Done();
      return loaded;
    }
    if (!loaded) loaded = Fail(std::move(loaded).error().At(FailedAt::kEngine));
    return step_.Finish(std::move(loaded));
  }

 private:
  Result<EngineLoaded> Load() {
    Result<> described = Describe();
    if (!described && cancel_.cancelled()) return Fail(std::move(described).error());
    if (!described) return EngineLoaded{std::move(described).error(), "", ""};
    if (!load_.info.containerd_store) TRY(KeepOwnPlatform());
    TRY_ASSIGN(Holdings holdings,
               AskForHoldings(load_.engine, load_.info, image_, load_.names, remembered_, cancel_));
    EngineLoaded loaded;
    loaded.digest = image_.top.digest;
    if (image_.parts.size() == 1) loaded.config_digest = image_.parts[0].manifest.config.digest;
    if (load_.before_pull && (holdings.whole || holdings.blobs.empty())) {
      step_.Log(holdings.whole ? "all of it is there" : "no layer is there: the pull brings all");
      return loaded;
    }
    Result<> done = holdings.whole ? NameWhole() : Send(holdings.blobs);
    const bool refused = !done && done.error().code() != ErrorCode::kUnavailable;
    const bool again = refused && !cancel_.cancelled() && !source_lacks_ && !load_.before_pull &&
                       (holdings.whole || !holdings.blobs.empty());
    if (again) {
      sink_.Say(Cat("loading the whole image, as its missing layers were not enough: ",
                    done.error().message()));
      done = Send({});
    }
    if (!done) ForgetBroken();
    if (source_lacks_ && !cancel_.cancelled()) return EngineLoaded{source_lacks_, "", ""};
    if (!done) return Fail(std::move(done).error());
    if (load_.info.containerd_store) remembered_.Keep(image_);
    return loaded;
  }

  Result<> Describe() {
    std::vector<DescribedImage> images;
    for (const auto& source : load_.sources) {
      TRY_ASSIGN(DescribedImage image, source->Describe(cancel_));
      images.push_back(std::move(image));
    }
    if (images.size() == 1) {
      image_ = std::move(images.front());
      return {};
    }
    TRY_ASSIGN(image_, JoinImages(std::move(images), load_.platforms, load_.annotations));
    return {};
  }

  /// A classic store holds one image, and nothing about it.
  Result<> KeepOwnPlatform() {
    auto only = OnlyPart(image_, load_.info.platform);
    if (!only) return Fail(NoPlatformOfTheEngine());
    std::vector<Platform> others;
    bool attested = false;
    for (const ImagePart& part : image_.parts) {
      attested |= part.attests;
      const bool other = !part.attests && part.descriptor.digest != only->top.digest;
      if (other && part.platform) others.push_back(*part.platform);
    }
    if (!others.empty()) {
      sink_.Say(Cat("--load: the Docker Engine's classic image store holds one platform, and gets ",
                    ShownPlatform(only->parts.front()),
                    "; left out: ", FormatPlatforms(others, ", ")));
    }
    if (attested) {
      sink_.Say("--load: the Docker Engine's classic image store holds no attestations; left out");
    }
    image_ = *std::move(only);
    return {};
  }

  static std::string ShownPlatform(const ImagePart& part) {
    return part.platform ? FormatPlatform(*part.platform) : "its own";
  }

  Result<> NameWhole() {
    step_.Log(ShownTraffic(Measure(AllLayers())));
    return Name();
  }

  std::set<std::string> AllLayers() const {
    std::set<std::string> all;
    for (const ImagePart& part : image_.parts)
      for (const Descriptor& layer : part.manifest.layers)
        all.insert(layer.digest);
    return all;
  }

  /// What will move when the Engine has the layers `there`; each blob once.
  Traffic Measure(const std::set<std::string>& there) {
    Traffic traffic;
    std::set<std::string> seen;
    auto count = [&](const Descriptor& blob, bool layer) {
      if (!seen.insert(blob.digest).second) return;
      const bool has = there.contains(blob.digest);
      traffic.total += blob.size;
      traffic.moved += has ? 0 : blob.size;
      traffic.layers += layer ? 1 : 0;
      traffic.layers_there += has && layer ? 1 : 0;
    };
    for (const ImagePart& part : image_.parts) {
      for (const Descriptor& layer : part.manifest.layers)
        count(layer, !part.attests);
      count(part.manifest.config, false);
      count(part.descriptor, false);
    }
    count(image_.top, false);
    return traffic;
  }

  /// The archive, without the layers that are `there`.
  void Fill(ImageStream& stream, const std::set<std::string>& there) {
    std::set<std::string> seen = there;
    auto add = [&](const Descriptor& blob, const std::string& content) {
      if (seen.insert(blob.digest).second) stream.AddFile(PlaceOfBlob(blob.digest), content);
    };
    stream.AddFile("oci-layout", std::string(kLayoutFile));
    // Without a name: it gets its names when it is whole.
    stream.AddFile("index.json", FormatIndex(kOciIndexType, {image_.top}, {}));
    if (!load_.info.containerd_store) {
      stream.AddFile("manifest.json", ClassicManifest(image_.parts.front(), load_.names));
    }
    if (!image_.index.empty()) add(image_.top, image_.index);
    for (const ImagePart& part : image_.parts) {
      add(part.descriptor, part.bytes);
      add(part.manifest.config, part.config);
    }
    for (const ImagePart& part : image_.parts)
      for (const Descriptor& layer : part.manifest.layers) {
        ImageSource& source = *load_.sources[part.source];
        const std::optional<std::string> kept = source.Kept(layer.digest);
        if (kept) {
          add(layer, *kept);
        } else if (seen.insert(layer.digest).second) {
          stream.AddLayer(source, layer);
        }
      }
    stream.Finish();
  }

  Result<> Send(const std::set<std::string>& there) {
    for (const ImagePart& part : image_.parts)
      for (const Descriptor& layer : part.manifest.layers)
        if (there.contains(layer.digest)) {
          step_.ProgressDone(Cat(ShownLayer(layer), " is there already"));
        }
    ImageStream stream([this](const Descriptor& layer, std::int64_t current) {
      step_.Progress(ShownLayer(layer), current, layer.size);
      if (current == layer.size) step_.ProgressDone(ShownLayer(layer));
    });
    Fill(stream, there);
    auto read = [&](char* into, std::size_t capacity) {
      return stream.Read(into, capacity, cancel_);
    };
    Result<> loaded = load_.engine.Load(read, step_, cancel_);
    if (stream.failure()) source_lacks_ = stream.failure();
    if (loaded) loaded = CheckWhole(there);
    if (!loaded) return loaded;
    step_.Log(ShownTraffic(Measure(there)));
    // A classic store has taken the names with the image.
    return load_.info.containerd_store ? Name() : Result<>();
  }

  /// The containerd store takes an image that lacks blobs.
  Result<> CheckWhole(const std::set<std::string>& there) {
    if (!load_.info.containerd_store) return {};
    TRY_ASSIGN(const bool whole,
               IsWhole(load_.engine, image_, there, load_.names, remembered_, cancel_));
    if (whole) return {};
    return Fail(ErrorCode::kFailed, "the image that was loaded is not whole");
  }

  /// Takes away what the containerd store has of an image that could not be loaded. One that has a
  /// name has it from somebody else.
  void ForgetBroken() {
    if (!load_.info.containerd_store || cancel_.cancelled()) return;
    Result<docker::EngineImage> image = load_.engine.Image(image_.top.digest, cancel_);
    if (image && image->names.empty()) (void)load_.engine.Remove(image->id, cancel_);
  }

  Result<> Name() {
    const std::string& id = load_.info.containerd_store
                                ? image_.top.digest
                                : image_.parts.front().manifest.config.digest;
    for (const std::string& name : load_.names)
      TRY(load_.engine.Tag(id, name, cancel_));
    return {};
  }

  const EngineLoad& load_;
  EventSink& sink_;
  const Cancel& cancel_;
  const LoadedImages remembered_;
  Step step_;
  DescribedImage image_;
  std::optional<Error> source_lacks_;
};

}  // namespace

Error NoPlatformOfTheEngine() {
  return Error(ErrorCode::kUnsupported,
               "--load: the image has no platform that the Docker Engine could run")
      .WithHint("add its own to --platform, or use --push");
}

Result<EngineLoaded> LoadIntoEngine(const EngineLoad& load, EventSink& sink, const Cancel& cancel) {
  return Loading(load, sink, cancel).Run();
}

}  // namespace depot::deliver
