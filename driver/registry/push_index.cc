#include "driver/registry/push_index.h"

#include <algorithm>
#include <map>
#include <memory>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/registry/tag_move.h"

namespace depot::registry {
namespace {

class IndexPusher {
 public:
  IndexPusher(Registries& registries,
              const IndexPush& push,
              const std::function<void(std::string)>& say,
              const Cancel& cancel)
      : push_(push), annotations_(push.annotations), say_(say), cancel_(cancel) {
    if (push.rules.pipeline) AnnotatePipeline(*push.rules.pipeline, annotations_.index);
    for (const Reference& name : push.names) {
      std::unique_ptr<Repository>& repository = repositories_[RepositoryOf(name)];
      if (!repository) repository = registries.Open(name, Access::kPush);
    }
  }

  Result<PushedIndex> Run() {
    std::vector<Descriptor> entries;
    for (const Descriptor& pushed : push_.pushed)
      TRY(Collect(pushed, entries));
    TRY_ASSIGN(AssembledIndex index, AssembleIndex(entries, push_.platforms, annotations_));
    for (const auto& [name, repository] : repositories_)
      TRY(CheckComplete(index, *repository));

    // Every manifest is in every repository: tags may point at the index.
    for (const Reference& name : push_.names)
      TRY(Write(index, name));
    return std::move(pushed_);
  }

 private:
  Repository& RepositoryFor(const Reference& name) { return *repositories_[RepositoryOf(name)]; }

  /// Adds the manifests behind `pushed`, each image with its platform.
  Result<> Collect(const Descriptor& pushed, std::vector<Descriptor>& entries) {
    Repository& repository = RepositoryFor(push_.names.front());
    std::string bytes;
    if (IsIndex(pushed.media_type)) {
      TRY_ASSIGN(StoredManifest stored, repository.GetManifest(pushed.digest, cancel_));
      bytes = std::move(stored.bytes);
    }
    TRY_ASSIGN(std::vector<Descriptor> found, Flatten(pushed, bytes));
    for (Descriptor& entry : found) {
      if (!entry.platform && AttestedDigest(entry).empty()) {
        TRY_ASSIGN(StoredManifest image, repository.GetManifest(entry.digest, cancel_));
        TRY_ASSIGN(Json platform, ReadImagePlatform(repository, image.bytes, cancel_));
        if (platform.size() > 0) SetPlatform(entry, platform);
      }
      entries.push_back(std::move(entry));
    }
    return {};
  }

  Result<> CheckComplete(const AssembledIndex& index, Repository& repository) {
    for (const Descriptor& entry : index.manifests) {
      TRY_ASSIGN(bool there, repository.HasManifest(entry.digest, cancel_));
      if (there) continue;
      std::string what = AttestedDigest(entry).empty() ? "image" : "attestation manifest";
      if (entry.platform && what == "image") what += Cat(" for ", FormatPlatform(*entry.platform));
      return Fail(Error(ErrorCode::kNotFound, Cat(repository.name(), " lacks the ", Printable(what),
                                                  ", ", entry.digest, ": no tag was written"))
                      .WithHint("the registry may have lost it, or deletes what has no tag; build "
                                "again"));
    }
    return {};
  }

  Result<> Write(const AssembledIndex& index, const Reference& name) {
    std::string full = FormatReference(name);
    if (std::find(written_.begin(), written_.end(), full) != written_.end()) return {};
    const bool look = push_.rules.look() && !name.tag.empty();
    Result<MovedTag> moved =
        look ? MoveTag(RepositoryFor(name), name,
                       {index, annotations_.index, push_.rules, push_.settle}, say_, cancel_)
             : Put(index, name, full);
    if (!moved) {
      Error error = std::move(moved).error();
      if (written_.empty()) return Fail(std::move(error));
      return Fail(std::move(error).While(Cat("after writing ", Join(written_, ", "))));
    }
    if (written_.empty()) pushed_.index = std::move(moved->index);
    Reference& kept = pushed_.names.emplace_back(name);
    if (!moved->stayed.empty()) {
      kept.tag.clear();
      pushed_.stayed.push_back(std::move(moved->stayed));
    }
    written_.push_back(std::move(full));
    return {};
  }

  Result<MovedTag> Put(const AssembledIndex& index,
                       const Reference& name,
                       const std::string& full) {
    const std::string& target = name.tag.empty() ? index.digest : name.tag;
    TRY(RepositoryFor(name).PutManifest(target, index.media_type, index.bytes, cancel_));
    say_(Cat("pushed ", full, '@', index.digest));
    return MovedTag{index, ""};
  }

  const IndexPush& push_;
  IndexAnnotations annotations_;
  const std::function<void(std::string)>& say_;
  const Cancel& cancel_;
  std::map<std::string, std::unique_ptr<Repository>> repositories_;  ///< by host/path
  std::vector<std::string> written_;
  PushedIndex pushed_;
};

}  // namespace

Result<PushedIndex> PushIndex(Registries& registries,
                              const IndexPush& push,
                              const std::function<void(std::string)>& say,
                              const Cancel& cancel) {
  return IndexPusher(registries, push, say, cancel).Run();
}

}  // namespace depot::registry
