#include "plugin/deliver/registry_source.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>

#include "driver/base/encode.h"
#include "driver/base/task_group.h"
#include "driver/base/text.h"
#include "driver/oci/digest.h"

namespace depot::deliver {
namespace {

/// A registry that fails in the middle begins the layer once more: what was given on already is
/// passed over then.
class RegistryLayer final : public LayerReader {
 public:
  RegistryLayer(registry::Repository& repository, const Descriptor& layer)
      : repository_(repository), layer_(layer), fetching_(Cancel::Never()) {}

  ~RegistryLayer() override {
    fetching_.Stop(Error(ErrorCode::kCancelled, "nobody reads the layer any more"));
    (void)fetching_.Wait();
  }

  void Ask(const Cancel&) override {
    if (std::exchange(asked_, true)) return;
    fetching_.Start("registry-layer", [this](const Cancel& stop) { return Fetch(stop); });
  }

  Result<std::string> Next(const Cancel& cancel) override {
    Ask(cancel);
    while (!ended_) {
      TRY_ASSIGN(std::string piece, Take(cancel));
      if (piece.empty()) return Check();
      hash_.Update(piece);
      std::string before = std::exchange(held_, std::move(piece));
      if (!before.empty()) return before;
    }
    return std::string();
  }

 private:
  static constexpr std::size_t kAhead = 1 << 20;

  Result<> Fetch(const Cancel& stop) {
    const registry::BlobSink sink{[this]() -> Result<> {
                                    position_ = 0;
                                    return {};
                                  },
                                  [&](std::string_view piece) { return Put(piece, stop); }};
    Result<> fetched = repository_.ReadBlob(layer_.digest, sink, stop);
    std::lock_guard lock(mutex_);
    fetched_ = std::move(fetched);
    changed_.notify_all();
    return {};
  }

  /// On the fetching thread, as is all of what came.
  Result<> Put(std::string_view piece, const Cancel& stop) {
    const auto known = std::min<std::int64_t>(static_cast<std::int64_t>(piece.size()),
                                              std::max<std::int64_t>(came_ - position_, 0));
    position_ += static_cast<std::int64_t>(piece.size());
    piece.remove_prefix(static_cast<std::size_t>(known));
    if (position_ > layer_.size) {
      return Fail(ErrorCode::kInvalid, Cat(repository_.name(), " has more than the ", layer_.size,
                                           " bytes of ", layer_.digest));
    }
    if (piece.empty()) return {};
    std::unique_lock lock(mutex_);
    if (!stop.Wait(lock, changed_, [&] { return waiting_.size() < kAhead; })) {
      return Fail(stop.error());
    }
    waiting_.append(piece);
    came_ = position_;
    changed_.notify_all();
    return {};
  }

  /// What waits; "" = that was all.
  Result<std::string> Take(const Cancel& cancel) {
    std::unique_lock lock(mutex_);
    if (!cancel.Wait(lock, changed_, [&] { return fetched_ || !waiting_.empty(); })) {
      return Fail(cancel.error());
    }
    if (waiting_.empty() && !*fetched_) return Fail(fetched_->error());
    changed_.notify_all();
    return std::exchange(waiting_, {});
  }

  Result<std::string> Check() {
    if (came_ != layer_.size || Cat("sha256:", Hex(hash_.Finish())) != layer_.digest) {
      return Fail(ErrorCode::kInvalid, Cat("what ", repository_.name(), " has as ", layer_.digest,
                                           " is not its content"));
    }
    ended_ = true;
    return std::exchange(held_, {});
  }

  registry::Repository& repository_;
  const Descriptor layer_;
  bool asked_ = false;
  Sha256 hash_;       // of all that was taken
  std::string held_;  // taken, and not given yet
  bool ended_ = false;
  std::int64_t position_ = 0;  // in the layer, of this attempt
  std::int64_t came_ = 0;      // of the layer
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::string waiting_;              // under mutex_
  std::optional<Result<>> fetched_;  // under mutex_; set: nothing comes any more
  TaskGroup fetching_;
};

/// Some small answers; the Engine may reach a registry that is out of reach from here.
constexpr std::chrono::seconds kDescribed(15);

class RegistrySource final : public ImageSource {
 public:
  RegistrySource(registry::Repository& repository, std::string version, Platform platform)
      : repository_(repository), version_(std::move(version)), platform_(std::move(platform)) {}

  Result<DescribedImage> Describe(const Cancel& given) override {
    const Cancel cancel =
        given.WithTimeout(kDescribed, Cat(repository_.name(), " did not describe the image"));
    TRY_ASSIGN(registry::StoredManifest stored, repository_.GetManifest(version_, cancel));
    if (IsIndex(stored.media_type)) {
      TRY_ASSIGN(const std::string digest, ChosenIn(stored.bytes));
      TRY_ASSIGN(stored, repository_.GetManifest(digest, cancel));
    }
    auto read = [&](const std::string& digest) -> Result<std::string> {
      if (digest == stored.digest) return stored.bytes;
      return repository_.GetBlob(digest, kMaxManifestSize, cancel);
    };
    TRY_ASSIGN(
        DescribedImage image,
        DescribeImage(MakeDescriptor(stored.media_type, stored.digest, stored.bytes.size()), read));
    if (!image.index.empty() || image.parts.front().platform != platform_)
      return Fail(NoPlatform());
    return image;
  }

  std::optional<std::string> Kept(const std::string&) const override { return std::nullopt; }

  std::unique_ptr<LayerReader> Open(const Descriptor& layer) override {
    return std::make_unique<RegistryLayer>(repository_, layer);
  }

 private:
  Result<std::string> ChosenIn(const std::string& bytes) const {
    TRY_ASSIGN(const ImageIndex index, ParseIndex(bytes));
    for (const Descriptor& entry : index.manifests)
      if (entry.platform == platform_ && AttestedDigest(entry).empty()) return entry.digest;
    return Fail(NoPlatform());
  }

  Error NoPlatform() const {
    return {ErrorCode::kNotFound,
            Cat(repository_.name(), " has no image for ", FormatPlatform(platform_))};
  }

  registry::Repository& repository_;
  const std::string version_;
  const Platform platform_;
};

}  // namespace

std::unique_ptr<ImageSource> MakeRegistrySource(registry::Repository& repository,
                                                std::string version,
                                                Platform platform) {
  return std::make_unique<RegistrySource>(repository, std::move(version), std::move(platform));
}

}  // namespace depot::deliver
