#include "driver/registry/index.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "driver/base/text.h"
#include "driver/oci/digest.h"
#include "driver/oci/index_text.h"
#include "driver/oci/manifest.h"

namespace depot::registry {
namespace {

using Descriptors = std::vector<Descriptor>;

bool IsImage(const Descriptor& entry) {
  return AttestedDigest(entry).empty();
}

Descriptors WithoutDuplicates(const Descriptors& entries) {
  Descriptors unique;
  for (const Descriptor& entry : entries) {
    auto same = std::find_if(unique.begin(), unique.end(), [&](const Descriptor& known) {
      return known.digest == entry.digest && AttestedDigest(known) == AttestedDigest(entry);
    });
    if (same == unique.end()) {
      unique.push_back(entry);
      continue;
    }
    for (const auto& [key, value] : entry.annotations)
      SetAnnotation(*same, key, value);
  }
  return unique;
}

/// Moves entries from one list to the other, in the order that readers expect.
class Sorter {
 public:
  explicit Sorter(Descriptors entries) : entries_(std::move(entries)) {}

  /// The images that `wanted` takes, each followed by its attestations; false when there is none.
  template <typename Wanted>
  bool TakeImages(Wanted wanted) {
    Descriptors images =
        Take([&](const Descriptor& entry) { return IsImage(entry) && wanted(entry); });
    for (Descriptor& image : images) {
      Descriptors about =
          Take([&](const Descriptor& entry) { return AttestedDigest(entry) == image.digest; });
      sorted_.push_back(std::move(image));
      std::move(about.begin(), about.end(), std::back_inserter(sorted_));
    }
    return !images.empty();
  }

  Descriptors Finish() {
    TakeImages([](const Descriptor&) { return true; });
    std::move(entries_.begin(), entries_.end(), std::back_inserter(sorted_));
    return std::move(sorted_);
  }

 private:
  template <typename Wanted>
  Descriptors Take(Wanted wanted) {
    auto rest = std::stable_partition(entries_.begin(), entries_.end(),
                                      [&](const Descriptor& entry) { return !wanted(entry); });
    Descriptors taken(std::make_move_iterator(rest), std::make_move_iterator(entries_.end()));
    entries_.erase(rest, entries_.end());
    return taken;
  }

  Descriptors entries_;
  Descriptors sorted_;
};

Result<Descriptors> Sort(Descriptors entries, const std::vector<Platform>& platforms) {
  Sorter sorter(std::move(entries));
  std::vector<Platform> done;
  for (const Platform& platform : platforms) {
    if (std::find(done.begin(), done.end(), platform) != done.end()) continue;
    done.push_back(platform);
    bool found =
        sorter.TakeImages([&](const Descriptor& entry) { return entry.platform == platform; });
    if (!found) {
      return Fail(ErrorCode::kFailed,
                  Cat("no builder pushed an image for ", FormatPlatform(platform)));
    }
  }
  return sorter.Finish();
}

void Annotate(Descriptors& entries, const std::vector<DescriptorAnnotation>& annotations) {
  for (Descriptor& entry : entries) {
    if (!IsImage(entry)) continue;
    for (const DescriptorAnnotation& annotation : annotations) {
      bool meant = !annotation.platform || annotation.platform == entry.platform;
      if (meant) SetAnnotation(entry, annotation.key, annotation.value);
    }
  }
}

std::string_view TypeFor(const Descriptors& entries, const IndexAnnotations& annotations) {
  bool plain = std::all_of(entries.begin(), entries.end(), [](const Descriptor& entry) {
    return entry.media_type == kDockerManifestType && entry.annotations.empty();
  });
  return plain && annotations.index.empty() ? kDockerListType : kOciIndexType;
}

}  // namespace

Result<std::vector<Descriptor>> Flatten(const Descriptor& pushed, std::string_view bytes) {
  if (!IsIndex(pushed.media_type)) return Descriptors{pushed};
  Result<ImageIndex> index = ParseIndex(bytes);
  if (!index) return Fail(std::move(index).error().While(Cat("the index ", pushed.digest)));
  for (const Descriptor& entry : index->manifests) {
    if (IsIndex(entry.media_type)) {
      return Fail(ErrorCode::kUnsupported,
                  Cat("the index ", pushed.digest, " lists another index, ", entry.digest));
    }
  }
  return std::move(index->manifests);
}

Result<AssembledIndex> AssembleIndex(const std::vector<Descriptor>& entries,
                                     const std::vector<Platform>& platforms,
                                     const IndexAnnotations& annotations) {
  AssembledIndex index;
  TRY_ASSIGN(index.manifests, Sort(WithoutDuplicates(entries), platforms));
  Annotate(index.manifests, annotations.descriptors);
  index.media_type = TypeFor(index.manifests, annotations);
  index.bytes = FormatIndex(index.media_type, index.manifests, annotations.index);
  if (index.bytes.size() > kMaxManifestSize) {
    return Fail(ErrorCode::kFailed,
                Cat("the index has ", index.bytes.size(), " bytes, more than registries take"));
  }
  index.digest = DigestOf(index.bytes);
  return index;
}

}  // namespace depot::registry
