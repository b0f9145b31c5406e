#include "driver/registry/tag_move.h"

#include <algorithm>
#include <optional>
#include <set>

#include "driver/base/backoff.h"
#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/registry/merge_index.h"

namespace depot::registry {
namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;

constexpr int kMostLooks = 10;
/// A registry that takes so much longer for us may do so for others.
constexpr int kSlowerOthers = 10;
constexpr milliseconds kLongestSettling(15'000);

std::map<std::string, std::string> AnnotationsOf(const StoredManifest& stored) {
  Result<Json> json = Json::Parse(stored.bytes);
  return json ? ReadAnnotations(*json) : std::map<std::string, std::string>();
}

class TagMover {
 public:
  TagMover(Repository& repository,
           const Reference& name,
           const TagMove& move,
           const std::function<void(std::string)>& say)
      : repository_(repository),
        name_(name),
        full_(FormatReference(name)),
        move_(move),
        say_(say) {}

  Result<MovedTag> Run(const Cancel& cancel) {
    for (int look = 1; look <= kMostLooks; ++look) {
      const auto begun = Cancel::Clock::now();
      TRY_ASSIGN(std::optional<MovedTag> moved, Look(cancel));
      if (moved) return *std::move(moved);
      const auto took = duration_cast<milliseconds>(Cancel::Clock::now() - begun);
      if (look < kMostLooks && !cancel.SleepFor(Pause(look, took))) return Fail(cancel.error());
    }
    return Fail(
        Error(ErrorCode::kUnavailable, Cat("the tag ", full_, " was written by others each of the ",
                                           kMostLooks, " times that this image was put into it"))
            .WithHint("run the build again: all of it is in the cache"));
  }

 private:
  /// nullopt: look again.
  Result<std::optional<MovedTag>> Look(const Cancel& cancel) {
    TRY_ASSIGN(const std::optional<StoredManifest> present, Read(cancel));
    const std::string newer = present ? WhyStay(*present) : "";
    if (!newer.empty()) return Stay(newer, cancel);
    AssembledIndex next = move_.index;
    if (present && move_.rules.merge) {
      TRY_ASSIGN(const ImageIndex there, IndexOf(*present, cancel));
      if (wrote_ && HoldsOurs(there, move_.index, before_)) return Done(Kept(*present, there));
      before_.merge(ImagesFor(there, move_.index));
      Result<AssembledIndex> merged = MergeIndex(there, move_.index, move_.annotations);
      if (!merged) return Fail(CannotMerge(std::move(merged).error()));
      next = *std::move(merged);
    }
    if (present && present->digest == next.digest) return Done(std::move(next));
    return Write(present, std::move(next), cancel);
  }

  Result<std::optional<MovedTag>> Write(const std::optional<StoredManifest>& present,
                                        AssembledIndex next,
                                        const Cancel& cancel) {
    TRY_ASSIGN(const bool written,
               repository_.ReplaceManifest(name_.tag, present ? &*present : nullptr,
                                           {next.media_type, next.digest, next.bytes}, cancel));
    wrote_ |= written;
    if (!written) {
      // Then it knows conditions, and what it writes is settled.
      conditions_ = true;
      say_(Cat(full_, " was written by somebody else meanwhile; looking at it again"));
      return std::nullopt;
    }
    if (!move_.rules.merge || conditions_) return Done(std::move(next));
    return std::nullopt;
  }

  Result<std::optional<StoredManifest>> Read(const Cancel& cancel) {
    Result<StoredManifest> present = repository_.GetManifest(name_.tag, cancel);
    if (present) return std::make_optional(*std::move(present));
    if (present.error().code() == ErrorCode::kNotFound) return std::nullopt;
    return Fail(std::move(present).error().While("looking at what the tag names"));
  }

  /// "" = the tag may move.
  std::string WhyStay(const StoredManifest& present) {
    const std::optional<Pipeline>& ours = move_.rules.pipeline;
    if (!ours) return "";
    const std::optional<Pipeline> theirs = PipelineOf(AnnotationsOf(present));
    if (!theirs || theirs->project != ours->project) {
      if (!wrote_) {
        say_(theirs ? Cat(full_, " names an image of pipeline ", theirs->number,
                          " of another project, whose numbers say nothing about ours")
                    : Cat(full_, " names an image of no known pipeline"));
      }
      return "";
    }
    if (theirs->number <= ours->number) return "";
    return Cat("it names an image of pipeline ", theirs->number, ", and this is pipeline ",
               ours->number);
  }

  Result<std::optional<MovedTag>> Stay(const std::string& why, const Cancel& cancel) {
    const AssembledIndex& ours = move_.index;
    TRY(repository_.PutManifest(ours.digest, ours.media_type, ours.bytes, cancel));
    say_(Cat("pushed ", repository_.name(), '@', ours.digest, ", and the tag ", name_.tag,
             " stays where it was"));
    return MovedTag{ours, Cat("the tag ", full_, " stays: ", why, "; pushed ", repository_.name(),
                              '@', ours.digest)};
  }

  Result<std::optional<MovedTag>> Done(AssembledIndex index) {
    say_(Cat("pushed ", full_, '@', index.digest));
    return MovedTag{std::move(index), ""};
  }

  static AssembledIndex Kept(const StoredManifest& present, const ImageIndex& index) {
    return {present.media_type, present.digest, present.bytes, index.manifests};
  }

  /// What the tag names as an index, also when it is one image alone.
  Result<ImageIndex> IndexOf(const StoredManifest& present, const Cancel& cancel) {
    if (IsIndex(present.media_type)) {
      Result<ImageIndex> index = ParseIndex(present.bytes);
      if (!index) return Fail(CannotMerge(std::move(index).error()));
      return index;
    }
    TRY_ASSIGN(const Json platform, ReadImagePlatform(repository_, present.bytes, cancel));
    Descriptor image = MakeDescriptor(present.media_type, present.digest, present.bytes.size());
    if (platform.size() > 0) SetPlatform(image, platform);
    if (!image.platform) {
      return Fail(CannotMerge(Error(ErrorCode::kInvalid, "it is no image of a platform")));
    }
    ImageIndex index;
    index.manifests.push_back(std::move(image));
    return index;
  }

  Error CannotMerge(Error why) const {
    return std::move(why)
        .While(Cat("--merge-index: what ", full_, " names cannot be merged with"))
        .WithHint("push to another tag, or without --merge-index");
  }

  milliseconds Pause(int look, milliseconds took) const {
    const Backoff races{move_.settle / 10, 2, move_.settle, 50};
    if (conditions_ || !wrote_) return races.WaitAfter(look).value_or(milliseconds(0));
    const milliseconds least =
        std::min(std::max(move_.settle, took * kSlowerOthers), kLongestSettling);
    return Backoff{least * 3 / 2, 1, least * 3 / 2, 33}.WaitAfter(1).value_or(least);
  }

  Repository& repository_;
  const Reference& name_;
  const std::string full_;
  const TagMove& move_;
  const std::function<void(std::string)>& say_;
  bool wrote_ = false;
  bool conditions_ = false;       ///< the registry knows them
  std::set<std::string> before_;  ///< images of our platforms that the tag had when we looked
};

}  // namespace

Result<MovedTag> MoveTag(Repository& repository,
                         const Reference& name,
                         const TagMove& move,
                         const std::function<void(std::string)>& say,
                         const Cancel& cancel) {
  return TagMover(repository, name, move, say).Run(cancel);
}

}  // namespace depot::registry
