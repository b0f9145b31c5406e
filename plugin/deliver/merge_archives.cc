#include "plugin/deliver/merge_archives.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "driver/base/encode.h"
#include "driver/base/json.h"
#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/oci/digest.h"
#include "driver/oci/index_text.h"
#include "driver/oci/manifest.h"
#include "driver/registry/index.h"
#include "plugin/deliver/tar_archive.h"

namespace depot::deliver {
namespace {

constexpr std::string_view kBlobs = "blobs/sha256/";

std::string FolderOf(const Platform& platform) {
  std::string folder = FormatPlatform(platform);
  std::replace(folder.begin(), folder.end(), '/', '_');
  return folder;
}

/// "./a/b" and "a/b" are the same member.
std::string Plain(std::string_view path) {
  while (path.starts_with("./"))
    path.remove_prefix(2);
  return std::string(path);
}

/// One builder's files stay out of another's folder.
bool LeavesItsFolder(std::string_view path) {
  std::vector<std::string_view> parts = Split(path, '/');
  return std::find(parts.begin(), parts.end(), "..") != parts.end();
}

Error Malformed(std::string_view what) {
  return Error(ErrorCode::kInvalid, Cat("the builder's OCI archive is malformed: ", what));
}

/// One part, with what it has where.
class ImageArchive {
 public:
  static Result<ImageArchive> Open(const ArchivePart& part, const Cancel& cancel) {
    ImageArchive archive(part.descriptor);
    TRY(ReadTar(
        part.descriptor,
        [&](const TarMember& member) -> Result<> {
          if (member.type == '0') archive.members_.emplace(Plain(member.path), member);
          return {};
        },
        cancel));
    TRY_ASSIGN(std::string text, archive.Read("index.json", kMaxManifestSize));
    TRY_ASSIGN(archive.index_, ParseIndex(text));
    return archive;
  }

  /// The images in its index.json: one, which may have several names.
  const std::vector<Descriptor>& images() const { return index_.manifests; }

  Result<std::string> Blob(const std::string& digest) const {
    std::string_view hex = std::string_view(digest).substr(digest.find(':') + 1);
    TRY_ASSIGN(std::string bytes, Read(Cat(kBlobs, hex), kMaxManifestSize));
    if (DigestOf(bytes) != digest) return Fail(Malformed(Cat(digest, " has another content")));
    return bytes;
  }

  /// The manifests behind its image, each image with its platform.
  Result<std::vector<Descriptor>> Manifests() const {
    if (images().empty()) return Fail(Malformed("it has no image"));
    const Descriptor& image = images().front();
    TRY_ASSIGN(std::string bytes, Blob(image.digest));
    TRY_ASSIGN(auto manifests, registry::Flatten(image, bytes));
    for (Descriptor& manifest : manifests) {
      if (manifest.platform) continue;
      TRY_ASSIGN(std::string content, Blob(manifest.digest));
      TRY_ASSIGN(Manifest parsed, ParseManifest(content));
      TRY_ASSIGN(std::string config, Blob(parsed.config.digest));
      TRY_ASSIGN(Json platform, PlatformOfConfig(config));
      SetPlatform(manifest, platform);
    }
    return manifests;
  }

  /// Copies the blobs that `written` does not have yet, each checked against its name.
  Result<> CopyBlobs(TarWriter& writer,
                     std::set<std::string>& written,
                     const Cancel& cancel) const {
    for (const auto& [path, member] : members_) {
      if (!path.starts_with(kBlobs) || !written.insert(path).second) continue;
      TRY(CheckBlob(path, member, cancel));
      TRY(writer.Copy(member, path, "", descriptor_));
    }
    return {};
  }

 private:
  explicit ImageArchive(int descriptor) : descriptor_(descriptor) {}

  Result<std::string> Read(const std::string& path, std::size_t limit) const {
    auto found = members_.find(path);
    if (found == members_.end()) return Fail(Malformed(Cat(Printable(path), " is missing")));
    return ReadContent(descriptor_, found->second, limit);
  }

  Result<> CheckBlob(const std::string& path, const TarMember& member, const Cancel& cancel) const {
    constexpr std::size_t kPiece = 256 << 10;
    Sha256 hash;
    TarMember piece = member;
    for (std::uint64_t done = 0; done < member.size; done += piece.size) {
      TRY(cancel.Check());
      piece.offset = member.offset + done;
      piece.size = std::min<std::uint64_t>(member.size - done, kPiece);
      TRY_ASSIGN(std::string bytes, ReadContent(descriptor_, piece, kPiece));
      hash.Update(bytes);
    }
    if (Hex(hash.Finish()) == path.substr(kBlobs.size())) return {};
    return Fail(Malformed(Cat(Printable(path), " has another content")));
  }

  int descriptor_;
  std::map<std::string, TarMember> members_;
  ImageIndex index_;
};

/// index.json: one entry for each name that a part gave, all of the same image index.
std::string LayoutIndex(const registry::AssembledIndex& image,
                        const std::map<std::string, std::string>& about,
                        const std::vector<ImageArchive>& archives) {
  std::vector<Descriptor> entries;
  for (const Descriptor& named : archives.front().images()) {
    Descriptor& entry =
        entries.emplace_back(MakeDescriptor(image.media_type, image.digest, image.bytes.size()));
    for (const auto& [key, value] : about)
      SetAnnotation(entry, key, value);
    for (const char* key : {"io.containerd.image.name", "org.opencontainers.image.ref.name",
                            "org.opencontainers.image.created"}) {
      auto found = named.annotations.find(key);
      if (found != named.annotations.end()) SetAnnotation(entry, key, found->second);
    }
  }
  return FormatIndex(kOciIndexType, entries, {});
}

}  // namespace

Result<> MergeTarArchives(const std::vector<ArchivePart>& parts,
                          PathClaims* claims,
                          session::StreamTarget& target,
                          const Cancel& cancel) {
  TarWriter writer(target, cancel);
  for (const ArchivePart& part : parts) {
    std::string folder;
    if (part.platforms.size() == 1 && claims == nullptr) {
      folder = FolderOf(part.platforms.front()) + "/";
      TRY(writer.AddDirectory(folder));
    }
    auto copy = [&](const TarMember& member) -> Result<> {
      std::string path = Plain(member.path);
      if (path.empty()) return {};  // the root has its folder already, or needs none
      bool hard_link = member.type == '1';
      if (LeavesItsFolder(path) || (hard_link && LeavesItsFolder(member.link))) {
        return Fail(
            ErrorCode::kInvalid,
            Cat("the builder's tar archive has an entry outside of it: ", Printable(member.path)));
      }
      if (claims != nullptr) TRY(claims->Claim(path, member.type == '5', part.platforms));
      return writer.Copy(member, Cat(folder, path),
                         hard_link ? Cat(folder, Plain(member.link)) : member.link,
                         part.descriptor);
    };
    TRY(ReadTar(part.descriptor, copy, cancel));
  }
  return writer.Finish();
}

Result<std::string> MergeImageArchives(const std::vector<ArchivePart>& parts,
                                       const registry::IndexAnnotations& annotations,
                                       session::StreamTarget& target,
                                       const Cancel& cancel) {
  std::vector<ImageArchive> archives;
  std::vector<Descriptor> manifests;
  std::vector<Platform> platforms;
  for (const ArchivePart& part : parts) {
    TRY_ASSIGN(ImageArchive archive, ImageArchive::Open(part, cancel));
    TRY_ASSIGN(auto own, archive.Manifests());
    manifests.insert(manifests.end(), own.begin(), own.end());
    platforms.insert(platforms.end(), part.platforms.begin(), part.platforms.end());
    archives.push_back(std::move(archive));
  }
  TRY_ASSIGN(auto image, registry::AssembleIndex(manifests, platforms, annotations));
  TarWriter writer(target, cancel);
  TRY(writer.AddDirectory("blobs/"));
  TRY(writer.AddDirectory(std::string(kBlobs)));
  std::set<std::string> written;
  for (const ImageArchive& archive : archives)
    TRY(archive.CopyBlobs(writer, written, cancel));
  std::string path = Cat(kBlobs, std::string_view(image.digest).substr(7));
  if (written.insert(path).second) TRY(writer.AddFile(path, image.bytes));
  TRY(writer.AddFile("index.json", LayoutIndex(image, annotations.index_descriptor, archives)));
  TRY(writer.AddFile("oci-layout", std::string(kLayoutFile)));
  TRY(writer.Finish());
  return image.digest;
}

}  // namespace depot::deliver
