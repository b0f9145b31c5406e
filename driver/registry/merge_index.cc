#include "driver/registry/merge_index.h"

#include <algorithm>
#include <vector>

#include "driver/base/text.h"

namespace depot::registry {
namespace {

constexpr std::size_t kMostMerged = 1000;

bool RunsOnPlatform(const Descriptor& entry) {
  return entry.platform && AttestedDigest(entry).empty();
}

/// Versions of Windows are platforms of their own.
bool SamePlatform(const Descriptor& one, const Descriptor& other) {
  return RunsOnPlatform(one) && RunsOnPlatform(other) && one.platform == other.platform &&
         one.json["platform"]["os.version"].AsString() ==
             other.json["platform"]["os.version"].AsString();
}

bool HasFor(const std::vector<Descriptor>& entries, const Descriptor& image) {
  return std::any_of(entries.begin(), entries.end(),
                     [&](const Descriptor& entry) { return SamePlatform(entry, image); });
}

bool Lists(const std::vector<Descriptor>& entries, const std::string& digest) {
  return std::any_of(entries.begin(), entries.end(),
                     [&](const Descriptor& entry) { return entry.digest == digest; });
}

/// Ours stand where the first of the same platform stood, so that an index that has them already
/// comes out as it was. What is ours is what we say it is.
std::vector<Descriptor> Replace(const ImageIndex& present, const AssembledIndex& ours) {
  const std::set<std::string> gone = ImagesFor(present, ours);
  std::vector<Descriptor> merged;
  for (const Descriptor& entry : present.manifests) {
    const bool replaced = HasFor(ours.manifests, entry);
    const bool goes = gone.contains(AttestedDigest(entry)) || Lists(ours.manifests, entry.digest);
    if (!replaced && !goes) merged.push_back(entry);
    if (!replaced || HasFor(merged, entry)) continue;
    std::copy_if(ours.manifests.begin(), ours.manifests.end(), std::back_inserter(merged),
                 [&](const Descriptor& own) { return SamePlatform(own, entry); });
  }
  // What is there is not taken a second time.
  merged.insert(merged.end(), ours.manifests.begin(), ours.manifests.end());
  return merged;
}

}  // namespace

Result<AssembledIndex> MergeIndex(const ImageIndex& present,
                                  const AssembledIndex& ours,
                                  const std::map<std::string, std::string>& annotations) {
  for (const Descriptor& entry : present.manifests) {
    if (!IsIndex(entry.media_type)) continue;
    return Fail(ErrorCode::kUnsupported, Cat("it lists another index, ", entry.digest));
  }
  if (present.manifests.size() + ours.manifests.size() > kMostMerged) {
    return Fail(ErrorCode::kInvalid, Cat("it lists more than ", kMostMerged, " manifests"));
  }
  IndexAnnotations wanted;
  wanted.index = annotations;
  wanted.index.insert(present.annotations.begin(), present.annotations.end());
  return AssembleIndex(Replace(present, ours), {}, wanted);
}

std::set<std::string> ImagesFor(const ImageIndex& present, const AssembledIndex& ours) {
  std::set<std::string> digests;
  for (const Descriptor& entry : present.manifests)
    if (HasFor(ours.manifests, entry)) digests.insert(entry.digest);
  return digests;
}

bool HoldsOurs(const ImageIndex& present,
               const AssembledIndex& ours,
               const std::set<std::string>& before) {
  return std::all_of(ours.manifests.begin(), ours.manifests.end(), [&](const Descriptor& image) {
    if (!RunsOnPlatform(image)) return true;
    return std::any_of(present.manifests.begin(), present.manifests.end(),
                       [&](const Descriptor& entry) {
                         if (!SamePlatform(entry, image)) return false;
                         return entry.digest == image.digest || !before.contains(entry.digest);
                       });
  });
}

}  // namespace depot::registry
