#include "plugin/deliver/merge_archives.h"

#include <algorithm>

#include "driver/base/json.h"
#include "driver/base/text.h"
#include "driver/oci/digest.h"
#include "driver/oci/manifest.h"
#include "plugin/deliver/tar_archive.h"
#include "tests/unit/deliver/archives.h"

namespace depot::deliver::merge_archives_test {
namespace {

const Platform kAmd64{"linux", "amd64", ""};
const Platform kArm64{"linux", "arm64", ""};
const Platform k386{"linux", "386", ""};

using Files = std::map<std::string, std::string>;

/// A tar archive of plain files.
std::string Tar(const Files& files) {
  MemoryTarget target;
  TarWriter writer(target, Cancel::Never());
  for (const auto& [path, content] : files)
    EXPECT_TRUE(writer.AddFile(path, content));
  EXPECT_TRUE(writer.Finish());
  return target.bytes;
}

/// The plain files of an archive; each name may come once only.
Files Untar(const std::string& archive) {
  Fd file = FileWith(archive);
  Files files;
  auto visit = [&](const TarMember& member) -> Result<> {
    if (member.type != '0') return {};
    TRY_ASSIGN(std::string content, ReadContent(file.get(), member, 1 << 20));
    EXPECT_TRUE(files.emplace(member.path, content).second) << member.path << " twice";
    return {};
  };
  Result<> read = ReadTar(file.get(), visit, Cancel::Never());
  EXPECT_TRUE(read) << read.error().message();
  return files;
}

struct Part {
  std::string archive;
  std::vector<Platform> platforms;
};

/// Part descriptors stay open as long as this.
class Parts {
 public:
  explicit Parts(const std::vector<Part>& parts) {
    for (const Part& part : parts) {
      files_.push_back(FileWith(part.archive));
      list_.push_back({files_.back().get(), part.platforms});
    }
  }
  const std::vector<ArchivePart>& list() const { return list_; }

 private:
  std::vector<Fd> files_;
  std::vector<ArchivePart> list_;
};

Result<std::string> MergeTars(const std::vector<Part>& parts, PathClaims* claims = nullptr) {
  MemoryTarget target;
  TRY(MergeTarArchives(Parts(parts).list(), claims, target, Cancel::Never()));
  EXPECT_TRUE(target.ended);
  return target.bytes;
}

TEST(MergeTarArchives, PutsEachPlatformIntoAFolderOfItsOwn) {
  auto merged = MergeTars({{Tar({{"./a", "1"}, {"b/c", "2"}}), {kAmd64}},
                           {Tar({{"a", "3"}}), {{"linux", "arm", "v7"}}}});
  ASSERT_TRUE(merged) << merged.error().message();
  EXPECT_EQ(Untar(*merged),
            (Files{{"linux_amd64/a", "1"}, {"linux_amd64/b/c", "2"}, {"linux_arm_v7/a", "3"}}));
}

TEST(MergeTarArchives, ABuilderOfSeveralPlatformsHasFoldersAlready) {
  auto merged = MergeTars({{Tar({{"linux_amd64/a", "1"}, {"linux_386/a", "2"}}), {kAmd64, k386}},
                           {Tar({{"a", "3"}}), {kArm64}}});
  ASSERT_TRUE(merged) << merged.error().message();
  EXPECT_EQ(Untar(*merged),
            (Files{{"linux_386/a", "2"}, {"linux_amd64/a", "1"}, {"linux_arm64/a", "3"}}));
}

TEST(MergeTarArchives, WithoutFoldersOnlyWhatMeetsIsRefused) {
  PathClaims claims("x.tar");
  auto merged = MergeTars({{Tar({{"./a-amd64", "1"}, {"bin/amd64", "2"}}), {kAmd64}},
                           {Tar({{"a-arm64", "3"}, {"bin/arm64", "4"}}), {kArm64}}},
                          &claims);
  ASSERT_TRUE(merged) << merged.error().message();
  EXPECT_EQ(Untar(*merged),
            (Files{{"a-amd64", "1"}, {"a-arm64", "3"}, {"bin/amd64", "2"}, {"bin/arm64", "4"}}));
  PathClaims others("x.tar");
  merged = MergeTars({{Tar({{"a", "1"}}), {kAmd64}}, {Tar({{"./a", "1"}}), {kArm64}}}, &others);
  ASSERT_FALSE(merged);
  EXPECT_EQ(merged.error().message(),
            "--output: a in x.tar comes from linux/amd64 and from linux/arm64, and "
            "platform-split=false makes one tree of all");
  EXPECT_FALSE(merged.error().hint().empty());
}

TEST(PathClaims, FoldersBelongToAllAndFilesToOne) {
  PathClaims claims("out");
  EXPECT_TRUE(claims.Claim("d/", true, {kAmd64}));
  EXPECT_TRUE(claims.Claim("d", true, {kArm64}));
  EXPECT_FALSE(claims.Claim("d", false, {kArm64})) << "a file in the place of a folder";
  EXPECT_TRUE(claims.Claim("d/f", false, {kAmd64, k386}));
  EXPECT_TRUE(claims.Claim("d/f", false, {kAmd64, k386})) << "what a builder repeats is its own";
  EXPECT_FALSE(claims.Claim("d/f", true, {kArm64}));
}

TEST(MergeTarArchives, HardLinksStayInTheirPart) {
  MemoryTarget target;
  TarWriter writer(target, Cancel::Never());
  ASSERT_TRUE(writer.AddFile("file", "x"));
  TarMember link;
  link.type = '1';
  link.header = target.bytes.substr(0, 512);
  link.header[156] = '1';
  ASSERT_TRUE(writer.Copy(link, "hard", "file", -1));
  link.header[156] = '2';
  ASSERT_TRUE(writer.Copy(link, "soft", "file", -1));
  ASSERT_TRUE(writer.Finish());
  auto merged = MergeTars({{target.bytes, {kAmd64}}});
  ASSERT_TRUE(merged) << merged.error().message();
  Fd file = FileWith(*merged);
  Files links;
  auto visit = [&](const TarMember& member) -> Result<> {
    if (!member.link.empty()) links[member.path] = member.link;
    return {};
  };
  ASSERT_TRUE(ReadTar(file.get(), visit, Cancel::Never()));
  EXPECT_EQ(links, (Files{{"linux_amd64/hard", "linux_amd64/file"}, {"linux_amd64/soft", "file"}}));
}

TEST(MergeTarArchives, OneBuilderDoesNotReachIntoAnothersFolder) {
  for (const char* path : {"../linux_arm64/a", "a/../../b", ".."}) {
    auto merged = MergeTars({{Tar({{path, "1"}}), {kAmd64}}});
    ASSERT_FALSE(merged) << path;
    EXPECT_EQ(merged.error().code(), ErrorCode::kInvalid);
  }
}

TEST(MergeTarArchives, APartThatBrokeOffIsRefused) {
  std::string whole = Tar({{"a", std::string(5000, 'x')}});
  auto merged = MergeTars({{whole.substr(0, 2000), {kAmd64}}});
  ASSERT_FALSE(merged);
  EXPECT_EQ(merged.error().code(), ErrorCode::kInvalid);
}

std::string BlobPath(const std::string& bytes) {
  return "blobs/sha256/" + DigestOf(bytes).substr(7);
}

std::string Descriptor(std::string_view type, const std::string& bytes, std::string_view more) {
  return Cat(R"({"mediaType":")", type, R"(","digest":")", DigestOf(bytes), R"(","size":)",
             bytes.size(), more, "}");
}

/// What an oci exporter sends of one image, which has one layer.
struct Image {
  explicit Image(const std::string& architecture, const std::string& layer = "shared layer") {
    config = Cat(R"({"architecture":")", architecture, R"(","os":"linux"})");
    manifest = Cat(R"({"schemaVersion":2,"mediaType":")", kOciManifestType, R"(","config":)",
                   Descriptor(kOciConfigType, config, ""), R"(,"layers":[)",
                   Descriptor("application/vnd.oci.image.layer.v1.tar", layer, ""), "]}");
    files = {{BlobPath(config), config}, {BlobPath(manifest), manifest}, {BlobPath(layer), layer}};
    files["oci-layout"] = R"({"imageLayoutVersion":"1.0.0"})";
    files["index.json"] =
        Cat(R"({"schemaVersion":2,"manifests":[)",
            Descriptor(kOciManifestType, manifest,
                       R"(,"annotations":{"io.containerd.image.name":"r.example/app:1"})"),
            "]}");
  }

  std::string config;
  std::string manifest;
  Files files;
};

struct Merged {
  std::string digest;
  Files files;
};

Result<Merged> MergeImages(const std::vector<Part>& parts,
                           const registry::IndexAnnotations& annotations = {}) {
  MemoryTarget target;
  TRY_ASSIGN(std::string digest,
             MergeImageArchives(Parts(parts).list(), annotations, target, Cancel::Never()));
  EXPECT_TRUE(target.ended);
  return Merged{digest, Untar(target.bytes)};
}

void ExpectMalformed(const Files& files) {
  auto merged = MergeImages({{Tar(files), {kAmd64}}});
  ASSERT_FALSE(merged);
  EXPECT_EQ(merged.error().code(), ErrorCode::kInvalid) << merged.error().message();
}

TEST(MergeImageArchives, OneIndexListsTheImagesOfAllParts) {
  Image amd64("amd64");
  Image arm64("arm64");
  registry::IndexAnnotations annotations;
  annotations.index = {{"a", "1"}};
  annotations.index_descriptor = {{"b", "2"}};
  auto merged =
      MergeImages({{Tar(amd64.files), {kAmd64}}, {Tar(arm64.files), {kArm64}}}, annotations);
  ASSERT_TRUE(merged) << merged.error().message();
  auto layout = Json::Parse(merged->files.at("index.json"));
  ASSERT_TRUE(layout);
  ASSERT_EQ((*layout)["manifests"].size(), 1u);
  Json entry = (*layout)["manifests"][std::size_t{0}];
  EXPECT_EQ(entry["digest"].AsString(), merged->digest);
  EXPECT_EQ(entry["annotations"]["io.containerd.image.name"].AsString(), "r.example/app:1");
  EXPECT_EQ(entry["annotations"]["b"].AsString(), "2");

  const std::string& bytes = merged->files.at("blobs/sha256/" + merged->digest.substr(7));
  EXPECT_EQ(DigestOf(bytes), merged->digest);
  auto index = Json::Parse(bytes);
  ASSERT_TRUE(index);
  EXPECT_EQ((*index)["annotations"]["a"].AsString(), "1");
  ASSERT_EQ((*index)["manifests"].size(), 2u);
  Json first = (*index)["manifests"][std::size_t{0}];
  EXPECT_EQ(first["digest"].AsString(), DigestOf(amd64.manifest));
  // The part did not say the platform, its config does.
  EXPECT_EQ(first["platform"]["architecture"].AsString(), "amd64");
  for (const Image& image : {amd64, arm64}) {
    for (const auto& [path, content] : image.files) {
      if (!path.starts_with("blobs/")) continue;
      EXPECT_EQ(merged->files.at(path), content);
    }
  }
}

TEST(MergeImageArchives, AttestationsOfAPartComeAlong) {
  Image image("amd64");
  std::string statement = R"({"schemaVersion":2,"config":{},"layers":[]})";
  std::string index =
      Cat(R"({"schemaVersion":2,"mediaType":")", kOciIndexType, R"(","manifests":[)",
          Descriptor(kOciManifestType, image.manifest,
                     R"(,"platform":{"architecture":"amd64","os":"linux"})"),
          ",",
          Descriptor(kOciManifestType, statement,
                     Cat(R"(,"platform":{"architecture":"unknown","os":"unknown"},"annotations":{)",
                         R"("vnd.docker.reference.type":"attestation-manifest",)",
                         R"("vnd.docker.reference.digest":")", DigestOf(image.manifest), R"("})")),
          "]}");
  image.files[BlobPath(statement)] = statement;
  image.files[BlobPath(index)] = index;
  image.files["index.json"] =
      Cat(R"({"schemaVersion":2,"manifests":[)", Descriptor(kOciIndexType, index, ""), "]}");
  auto merged = MergeImages({{Tar(image.files), {kAmd64}}, {Tar(Image("arm64").files), {kArm64}}});
  ASSERT_TRUE(merged) << merged.error().message();
  auto list = Json::Parse(merged->files.at("blobs/sha256/" + merged->digest.substr(7)));
  ASSERT_TRUE(list);
  ASSERT_EQ((*list)["manifests"].size(), 3u);
  Json attestation = (*list)["manifests"][1];
  EXPECT_EQ(attestation["digest"].AsString(), DigestOf(statement));
  EXPECT_EQ(attestation["annotations"]["vnd.docker.reference.digest"].AsString(),
            DigestOf(image.manifest));
  EXPECT_TRUE(merged->files.contains(BlobPath(statement)));
}

TEST(MergeImageArchives, NothingIsTrusted) {
  Image image("amd64");
  Files no_index = image.files;
  no_index.erase("index.json");
  ExpectMalformed(no_index);
  Files no_image = image.files;
  no_image["index.json"] = R"({"schemaVersion":2,"manifests":[]})";
  ExpectMalformed(no_image);
  Files no_manifest = image.files;
  no_manifest.erase(BlobPath(image.manifest));
  ExpectMalformed(no_manifest);
  Files other_manifest = image.files;
  other_manifest[BlobPath(image.manifest)] += " ";
  ExpectMalformed(other_manifest);
  Files other_layer = image.files;
  other_layer[BlobPath("shared layer")] = "other bytes";
  ExpectMalformed(other_layer);
}

TEST(MergeImageArchives, APartWithoutItsPlatformIsRefused) {
  auto merged = MergeImages({{Tar(Image("amd64").files), {kArm64}}});
  ASSERT_FALSE(merged);
  EXPECT_NE(merged.error().message().find("linux/arm64"), std::string::npos);
}

}  // namespace
}  // namespace depot::deliver::merge_archives_test
