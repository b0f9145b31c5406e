#include "plugin/deliver/image_layout.h"

#include <algorithm>
#include <cerrno>
#include <memory>
#include <optional>
#include <vector>

#include <sys/stat.h>
#include <unistd.h>

#include "driver/base/encode.h"
#include "driver/base/json.h"
#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/disk/read_file.h"
#include "driver/disk/whole_file.h"
#include "driver/files/tree_writer.h"
#include "driver/oci/digest.h"
#include "plugin/deliver/tar_archive.h"

namespace depot::deliver {
namespace {

constexpr std::string_view kBlobFolder = "blobs/sha256/";
constexpr std::string_view kImageName = "io.containerd.image.name";
constexpr std::string_view kReferenceName = "org.opencontainers.image.ref.name";
constexpr std::size_t kMaxIndex = 4 << 20;

Error MalformedLayout(std::string_view what) {
  return Error(ErrorCode::kInvalid, Cat("the builder's image archive is malformed: ", what));
}

files::FileEntry Entry(std::string path, std::uint32_t mode) {
  files::FileEntry entry;
  entry.path = std::move(path);
  entry.mode = mode;
  return entry;
}

/// Copies archives' members to files.
class Layout {
 public:
  Layout(int archive, files::TreeWriter& writer, const Cancel& cancel)
      : archive_(archive), writer_(writer), cancel_(cancel) {}

  Result<> Take(const TarMember& member) {
    if (member.type != '0') return {};
    std::string_view path = member.path;
    while (path.starts_with("./"))
      path.remove_prefix(2);
    if (path == "index.json") {
      TRY_ASSIGN(index_, ReadContent(archive_, member, kMaxIndex));
      return {};
    }
    return path.starts_with(kBlobFolder) ? TakeBlob(member, std::string(path)) : Result<>();
  }

  /// Its index.json.
  const std::optional<std::string>& index() const { return index_; }

 private:
  Result<> TakeBlob(const TarMember& member, const std::string& path) {
    const std::string digest = Cat("sha256:", path.substr(kBlobFolder.size()));
    if (!IsDigest(digest)) return Fail(MalformedLayout(Cat("a blob is called ", Printable(path))));
    TRY_ASSIGN(auto file, writer_.Create(Entry(path, S_IFREG | 0644)));
    Sha256 hash;
    std::vector<char> buffer(1 << 20);
    for (std::uint64_t done = 0; done < member.size;) {
      TRY(cancel_.Check());
      const std::size_t wanted = std::min<std::uint64_t>(buffer.size(), member.size - done);
      const ssize_t got =
          ::pread(archive_, buffer.data(), wanted, static_cast<off_t>(member.offset + done));
      if (got <= 0) return Fail(SystemError("read the kept image", got < 0 ? errno : EIO));
      const std::string_view bytes(buffer.data(), static_cast<std::size_t>(got));
      hash.Update(bytes);
      TRY(file->Write(bytes));
      done += bytes.size();
    }
    if (Cat("sha256:", Hex(hash.Finish())) != digest) {
      return Fail(MalformedLayout(Cat(digest, " has another content")));
    }
    return file->Commit();
  }

  const int archive_;
  files::TreeWriter& writer_;
  const Cancel& cancel_;
  std::optional<std::string> index_;
};

std::string NameOf(const Json& image) {
  const Json annotations = image["annotations"];
  const std::string name = annotations[kImageName].AsString();
  return name.empty() ? annotations[kReferenceName].AsString() : name;
}

/// The images of an index.json, of which those without a name get one.
Result<std::vector<Json>> ImagesOf(const std::string& text) {
  TRY_ASSIGN(const Json index, Json::Parse(text));
  const Json manifests = index["manifests"];
  if (!manifests.is_array()) return Fail(ErrorCode::kInvalid, "it lists no manifests");
  std::vector<Json> images;
  for (std::size_t i = 0; i < manifests.size(); ++i) {
    Json image = manifests[i];
    if (NameOf(image).empty()) {
      Json annotations = image["annotations"];
      annotations.Set(kReferenceName, Json::String("latest"));
      image.Set("annotations", std::move(annotations));
    }
    images.push_back(std::move(image));
  }
  return images;
}

/// The index.json of the layout: the images that it has, those of the same names replaced.
Result<std::string> JoinIndexes(const std::string& path, std::vector<Json> images) {
  TRY_ASSIGN(const auto old, disk::ReadFileIfThere(path));
  Json manifests = Json::Array();
  if (old) {
    auto known = ImagesOf(*old);
    if (!known) return Fail(std::move(known).error().While(Printable(path)));
    for (Json& image : *known) {
      const bool replaced = std::any_of(images.begin(), images.end(), [&](const Json& now) {
        return NameOf(now) == NameOf(image);
      });
      if (!replaced) manifests.Append(std::move(image));
    }
  }
  for (Json& image : images)
    manifests.Append(std::move(image));
  Json index = Json::Object();
  index.Set("schemaVersion", Json::Number(2));
  index.Set("mediaType", Json::String("application/vnd.oci.image.index.v1+json"));
  index.Set("manifests", std::move(manifests));
  return index.Dump();
}

}  // namespace

Result<> WriteImageLayout(int archive, const std::string& directory, const Cancel& cancel) {
  TRY_ASSIGN(auto writer, files::OpenTreeWriter(directory));
  TRY(writer->Make(Entry("blobs", S_IFDIR | 0755)));
  TRY(writer->Make(Entry("blobs/sha256", S_IFDIR | 0755)));
  Layout layout(archive, *writer, cancel);
  TRY(ReadTar(
      archive, [&](const TarMember& member) { return layout.Take(member); }, cancel));
  if (!layout.index()) return Fail(MalformedLayout("it has no index.json"));
  auto images = ImagesOf(*layout.index());
  if (!images) return Fail(MalformedLayout(images.error().message()));
  TRY_ASSIGN(const std::string index, JoinIndexes(directory + "/index.json", *std::move(images)));
  TRY(disk::WriteWholeFile(directory + "/oci-layout", R"({"imageLayoutVersion":"1.0.0"})"));
  return disk::WriteWholeFile(directory + "/index.json", index);
}

}  // namespace depot::deliver
