#include "plugin/deliver/sbom.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include "proto/content.pb.h"

#include "driver/base/encode.h"
#include "driver/base/json.h"
#include "driver/base/system_roots.h"
#include "driver/base/task_group.h"
#include "driver/base/text.h"
#include "driver/oci/digest.h"
#include "driver/rpc/server.h"
#include "tests/unit/files/temporary_tree.h"
#include "tests/unit/registry/registry_server.h"

namespace depot::deliver::sbom_test {
namespace {

const Platform kAmd64{"linux", "amd64", ""};
const Platform kArm64{"linux", "arm64", ""};

std::string Statement(const std::string& name,
                      std::string_view type = "https://spdx.dev/Document") {
  return Cat(R"({"_type":"https://in-toto.io/Statement/v0.1","predicateType":")", type,
             R"(","predicate":{"spdxVersion":"SPDX-2.3","name":")", name, R"("}})");
}

std::string NameIn(const std::string& spdx) {
  auto json = Json::Parse(spdx);
  return json ? (*json)["name"].AsString() : "no JSON";
}

Json DescriptorOf(const std::string& media_type, const std::string& bytes) {
  Json json = Json::Object();
  json.Set("mediaType", Json::String(media_type));
  json.Set("digest", Json::String(DigestOf(bytes)));
  json.Set("size", Json::Number(static_cast<std::int64_t>(bytes.size())));
  return json;
}

Json Annotated(Json descriptor, const std::map<std::string, std::string>& annotations) {
  Json all = Json::Object();
  for (const auto& [key, value] : annotations)
    all.Set(key, Json::String(value));
  descriptor.Set("annotations", all);
  return descriptor;
}

/// An image with attestations, as blobs.
class TestImage {
 public:
  void Add(const std::string& architecture, const std::vector<std::string>& statements) {
    std::string manifest = Manifest({}, architecture);
    Json image = DescriptorOf(std::string(kOciManifestType), manifest);
    Json platform = Json::Object();
    platform.Set("os", Json::String("linux"));
    platform.Set("architecture", Json::String(architecture));
    image.Set("platform", platform);
    manifests_.Append(image);
    manifests_.Append(
        Annotated(DescriptorOf(std::string(kOciManifestType), Manifest(statements, "attested")),
                  {{"vnd.docker.reference.type", "attestation-manifest"},
                   {"vnd.docker.reference.digest", DigestOf(manifest)}}));
  }

  Descriptor Finish() {
    Json index = Json::Object();
    index.Set("schemaVersion", Json::Number(2));
    index.Set("mediaType", Json::String(kOciIndexType));
    index.Set("manifests", manifests_);
    return *ReadDescriptor(DescriptorOf(std::string(kOciIndexType), Keep(index.Dump())));
  }

  /// By digest.
  std::map<std::string, std::string> blobs;

  ContentReader Reader() {
    return [this](const Descriptor& wanted, std::size_t max_size) -> Result<std::string> {
      auto found = blobs.find(wanted.digest);
      if (found == blobs.end()) return Fail(ErrorCode::kNotFound, Cat(wanted.digest, " is gone"));
      if (found->second.size() > max_size) return Fail(ErrorCode::kInvalid, "too large");
      return found->second;
    };
  }

 private:
  std::string Keep(std::string bytes) {
    blobs[DigestOf(bytes)] = bytes;
    return bytes;
  }

  std::string Manifest(const std::vector<std::string>& statements, const std::string& config) {
    Json layers = Json::Array();
    for (const std::string& statement : statements) {
      auto json = Json::Parse(statement);
      std::string type = json ? (*json)["predicateType"].AsString() : "https://spdx.dev/Document";
      layers.Append(Annotated(DescriptorOf("application/vnd.in-toto+json", Keep(statement)),
                              {{"in-toto.io/predicate-type", type}}));
    }
    Json manifest = Json::Object();
    manifest.Set("schemaVersion", Json::Number(2));
    manifest.Set("mediaType", Json::String(kOciManifestType));
    manifest.Set("config", DescriptorOf(std::string(kOciConfigType), Keep(config)));
    manifest.Set("layers", layers);
    return Keep(manifest.Dump());
  }

  Json manifests_ = Json::Array();
};

TEST(SbomDocuments, AreReadFromTheAttestationsOfEveryPlatform) {
  TestImage image;
  image.Add("amd64", {Statement("x", "https://slsa.dev/provenance/v0.2"), Statement("intel")});
  image.Add("arm64", {Statement("arm"), Statement("sbom-stage")});
  Descriptor index = image.Finish();
  auto documents = ReadImageSboms(index, kAmd64, image.Reader());
  ASSERT_TRUE(documents) << documents.error().message();
  ASSERT_EQ(documents->size(), 3U);
  EXPECT_EQ((*documents)[0].platform, kAmd64);
  EXPECT_EQ(NameIn((*documents)[0].spdx), "intel");
  EXPECT_EQ((*documents)[1].platform, kArm64);
  EXPECT_EQ((*documents)[2].scan, "sbom-stage");
}

TEST(SbomDocuments, AnImageWithoutAnyIsNotFound) {
  TestImage image;
  image.Add("amd64", {Statement("x", "https://slsa.dev/provenance/v0.2")});
  Descriptor index = image.Finish();
  auto documents = ReadImageSboms(index, kAmd64, image.Reader());
  ASSERT_FALSE(documents);
  EXPECT_EQ(documents.error().code(), ErrorCode::kNotFound);
  Descriptor manifest = index;
  manifest.media_type = kOciManifestType;
  EXPECT_FALSE(ReadImageSboms(manifest, kAmd64, image.Reader()));
}

TEST(SbomDocuments, WhatIsNoSpdxStatementIsRefused) {
  for (const std::string& wrong :
       {std::string("{"), std::string("[]"), Statement("x", "https://example.com/other"),
        std::string(R"({"predicateType":"https://spdx.dev/Document","predicate":[1]})")}) {
    auto document = ReadSbomStatement(kAmd64, wrong);
    ASSERT_FALSE(document) << wrong;
    EXPECT_EQ(document.error().code(), ErrorCode::kInvalid);
  }
  TestImage image;
  image.Add("amd64", {"no JSON"});
  Descriptor index = image.Finish();
  EXPECT_FALSE(ReadImageSboms(index, kAmd64, image.Reader()));
}

TEST(SbomDocuments, MoreThanReasonableIsRefused) {
  TestImage image;
  std::vector<std::string> statements;
  for (int i = 0; i < 100; ++i)
    statements.push_back(Statement(Cat("n", i)));
  image.Add("amd64", statements);
  Descriptor index = image.Finish();
  auto documents = ReadImageSboms(index, kAmd64, image.Reader());
  ASSERT_FALSE(documents);
  EXPECT_EQ(documents.error().code(), ErrorCode::kInvalid);
}

std::vector<std::string> Names(const std::vector<SbomDocument>& documents,
                               bool several,
                               const std::string& target = "") {
  std::vector<std::string> names;
  for (const auto& [name, content] : SbomFileContents(documents, several, target))
    names.push_back(name);
  return names;
}

TEST(SbomFileNames, AreThoseOfDepot) {
  using Strings = std::vector<std::string>;
  Platform arm{"linux", "arm", "v7"};
  EXPECT_EQ(Names({{kAmd64, "anything", ""}}, false), Strings{"sbom.spdx.json"});
  EXPECT_EQ(Names({{kAmd64, "sbom", ""}, {arm, "sbom", ""}}, true),
            (Strings{"linux_amd64.spdx.json", "linux_arm_v7.spdx.json"}));
  EXPECT_EQ(Names({{kAmd64, "sbom", ""}, {kAmd64, "sbom-base", ""}}, false, "web"),
            (Strings{"web.spdx.json", "web-base.spdx.json"}));
  EXPECT_EQ(Names({{kAmd64, "sbom", ""}, {arm, "sbom", ""}}, true, "web"),
            (Strings{"web_linux_amd64.spdx.json", "web_linux_arm_v7.spdx.json"}));
}

TEST(SbomFileNames, TheImageComesFirstAndStagesBesideIt) {
  using Strings = std::vector<std::string>;
  EXPECT_EQ(Names({{kAmd64, "sbom-base", ""}, {kAmd64, "sbom", ""}}, false),
            (Strings{"sbom-base.spdx.json", "sbom.spdx.json"}));
  EXPECT_EQ(Names({{kAmd64, "x", ""}, {kAmd64, "sbom-base", ""}, {kAmd64, "", ""}}, true),
            (Strings{"linux_amd64.spdx.json", "linux_amd64-base.spdx.json",
                     "linux_amd64-more.spdx.json"}));
}

TEST(SbomFileNames, NeverLeaveTheDirectoryNorComeTwice) {
  Platform hostile{"../../etc", "a/b", "\x01"};
  auto names = Names({{hostile, "sbom", ""},
                      {hostile, "sbom-../../x", ""},
                      {hostile, "sbom-../../x", ""},
                      {hostile, std::string(500, 'x'), ""}},
                     true);
  std::set<std::string> unique(names.begin(), names.end());
  EXPECT_EQ(unique.size(), names.size());
  for (const std::string& name : names) {
    EXPECT_EQ(name.find('/'), std::string::npos) << name;
    EXPECT_LT(name.size(), 255U);
    EXPECT_TRUE(name.ends_with(".spdx.json"));
  }
}

files::FileEntry RegularFile(const std::string& path) {
  files::FileEntry entry;
  entry.path = path;
  entry.mode = S_IFREG | 0600;
  return entry;
}

TEST(SbomFiles, TakeTheirOwnFilesAndNoOthers) {
  SbomFiles files;
  auto writer = files.Target()();
  std::string prefix(plan::kSbomFilePrefix);
  for (const std::string& other : {std::string("sbom.spdx.json"), prefix + "provenance.json",
                                   "usr/share/" + prefix + "sbom.spdx.json"}) {
    EXPECT_FALSE(writer->Wants(RegularFile(other))) << other;
  }
  for (const std::string& path :
       {"linux_arm64/" + prefix + "sbom.spdx.json", prefix + "sbom-base.spdx.json"}) {
    ASSERT_TRUE(writer->Wants(RegularFile(path))) << path;
    auto file = writer->Create(RegularFile(path));
    ASSERT_TRUE(file);
    std::string statement = Statement("n");
    ASSERT_TRUE((*file)->Write(statement.substr(0, 10)));
    ASSERT_TRUE((*file)->Write(statement.substr(10)));
    ASSERT_TRUE((*file)->Commit());
  }
  auto documents = files.Documents(kAmd64);
  ASSERT_TRUE(documents) << documents.error().message();
  ASSERT_EQ(documents->size(), 2U);
  EXPECT_EQ((*documents)[0].platform, kAmd64);
  EXPECT_EQ((*documents)[0].scan, "sbom-base");
  EXPECT_EQ((*documents)[1].platform, kArm64);
  EXPECT_EQ((*documents)[1].scan, "sbom");
}

TEST(SbomFiles, RefuseAnEndlessOne) {
  SbomFiles files;
  auto file = files.Target()()->Create(RegularFile("x"));
  std::string piece(16 << 20, 'x');
  int taken = 0;
  while ((*file)->Write(piece) && taken < 100)
    ++taken;
  EXPECT_EQ(taken, 4);
  EXPECT_FALSE(files.Documents(kAmd64));
}

/// A builder that has `blobs` in its content store.
class SbomsTest : public ::testing::Test, public builder::Builder {
 protected:
  SbomsTest() {
    table_.Add("/containerd.services.content.v1.Content/Read",
               [this](rpc::ServerCall& call, const Cancel& cancel) { return Read(call, cancel); });
    int fds[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    channel_ = rpc::MakeChannel(rpc::MakeSocketStream(Fd(fds[0])), "localhost");
    server_.Start("server", [this, socket = fds[1]](const Cancel& cancel) {
      (void)rpc::Serve(rpc::MakeSocketStream(Fd(socket)), table_, cancel);
      return Result<>();
    });
    features_.platforms = {kAmd64};
  }

  ~SbomsTest() override { channel_->Close(Error(ErrorCode::kCancelled, "test")); }

  rpc::Channel& channel() override { return *channel_; }
  Result<> Reconnect(const Cancel& /*cancel*/) override { return channel_->Alive(); }
  const builder::Features& features() const override { return features_; }
  const std::string& endpoint() const override { return endpoint_; }

  rpc::Status Read(rpc::ServerCall& call, const Cancel& cancel) {
    auto message = call.Read(cancel);
    containerd::services::content::v1::ReadContentRequest request;
    if (message && *message) (void)request.ParseFromString(**message);
    auto found = image_.blobs.find(request.digest());
    if (found == image_.blobs.end()) return {rpc::Code::kNotFound, "not found", ""};
    containerd::services::content::v1::ReadContentResponse response;
    response.set_data(found->second);
    (void)call.Write({rpc::Bytes(response.SerializeAsString())}, cancel);
    return {};
  }

  static ExporterResponse Answer(const Descriptor& image) {
    return {{"containerimage.descriptor", Base64(image.json.Dump())}};
  }

  Result<> Collect(Sboms& sboms, const ExporterResponse& response) {
    return sboms.Collect({*this, platforms_, response, *registries_}, Cancel::Never());
  }

  /// With an exporter that pushes to `name`.
  void PreparePush(Sboms& sboms, const std::string& name) {
    plan::BuildPlan plan;
    plan.request.exporters.push_back({"image", {{"push", "true"}, {"name", name}}});
    plan.destinations.emplace_back();
    sboms.Prepare(plan, targets_);
    EXPECT_TRUE(targets_.empty());
  }

  files::TemporaryTree tree_;
  TestImage image_;
  std::vector<Platform> platforms_;
  std::map<int, session::ExportTarget> targets_;
  registry::OneCredential credentials_{std::nullopt};
  registry::Keyring keyring_{credentials_, {}};
  std::unique_ptr<http::HttpClient> client_ =
      http::MakeCurlClient("test/1", std::chrono::seconds(5), SystemRoots());
  std::unique_ptr<registry::Registries> registries_ =
      registry::MakeRegistries(*client_, keyring_, {});
  rpc::ServiceTable table_;
  builder::Features features_;
  std::string endpoint_ = "tcp://builder:1";
  std::unique_ptr<rpc::Channel> channel_;
  TaskGroup server_{Cancel::Never()};
};

TEST_F(SbomsTest, WithoutADirectoryNothingIsDone) {
  Sboms sboms("");
  sboms.Prepare({}, targets_);
  EXPECT_TRUE(targets_.empty());
  EXPECT_TRUE(Collect(sboms, {}));
  EXPECT_TRUE(sboms.Write("")->empty());
}

TEST_F(SbomsTest, AnImageIsReadOnTheBuilder) {
  image_.Add("amd64", {Statement("intel")});
  Sboms sboms(tree_.At("deep/sboms"));
  ASSERT_TRUE(sboms.CheckDirectory());
  EXPECT_FALSE(tree_.Exists("deep")) << "it may be a part of the build context";
  PreparePush(sboms, "registry.invalid/a/b");
  ASSERT_TRUE(Collect(sboms, Answer(image_.Finish())));
  auto written = sboms.Write("");
  ASSERT_TRUE(written) << written.error().message();
  EXPECT_EQ(*written, std::vector<std::string>{tree_.At("deep/sboms/sbom.spdx.json")});
  EXPECT_EQ(NameIn(tree_.Read("deep/sboms/sbom.spdx.json")), "intel");
}

TEST_F(SbomsTest, WhatTheBuilderThrewAwayIsReadWhereItWasPushed) {
  registry::RegistryServer server;
  image_.Add("amd64", {Statement("intel")});
  Descriptor index = image_.Finish();
  for (const auto& [digest, bytes] : image_.blobs) {
    server.AddBlob("a/b", bytes);
    std::string type = OwnMediaType(bytes);
    if (!type.empty()) server.AddManifest("a/b", "", type, bytes);
  }
  image_.blobs.clear();
  Sboms sboms(tree_.root());
  PreparePush(sboms, Cat(server.host(), "/a/b,elsewhere.invalid/c"));
  Result<> collected = Collect(sboms, Answer(index));
  ASSERT_TRUE(collected) << collected.error().message();
  ASSERT_TRUE(sboms.Write(""));
  EXPECT_EQ(NameIn(tree_.Read("sbom.spdx.json")), "intel");
}

TEST_F(SbomsTest, APlatformWithoutOneIsAnErrorThatNamesIt) {
  image_.Add("amd64", {Statement("intel")});
  platforms_ = {kAmd64, kArm64};
  Sboms sboms(tree_.root());
  PreparePush(sboms, "registry.invalid/a/b");
  Result<> collected = Collect(sboms, Answer(image_.Finish()));
  ASSERT_FALSE(collected);
  EXPECT_EQ(collected.error().message(),
            "--sbom-dir: no SBOM from tcp://builder:1: there is none for linux/arm64");
  EXPECT_FALSE(collected.error().hint().empty());
}

TEST_F(SbomsTest, ADepotBuilderSaysWhereTheyAre) {
  std::string statement = Statement("hosted");
  image_.blobs[DigestOf(statement)] = statement;
  ExporterResponse response = {
      {"depot/sboms", Base64(Cat(R"([{"platform":"linux/arm64","digest":")", DigestOf(statement),
                                 R"(","image":{"name":"x","manifest_digest":"y"}}])"))}};
  platforms_ = {kArm64};
  Sboms sboms(tree_.root());
  sboms.Prepare({}, targets_);
  Result<> collected = Collect(sboms, response);
  ASSERT_TRUE(collected) << collected.error().message();
  ASSERT_TRUE(sboms.Write(""));
  EXPECT_EQ(NameIn(tree_.Read("sbom.spdx.json")), "hosted");
}

TEST_F(SbomsTest, WhatIsSentForThemAloneIsTaken) {
  plan::BuildPlan plan;
  plan.request.exporters = {{"tar", {}}, {"local", {}}};
  plan.destinations.resize(2);
  plan.destinations[1].kind = plan::DestinationKind::kSbomFiles;
  Sboms sboms(tree_.root());
  sboms.Prepare(plan, targets_);
  ASSERT_EQ(targets_.size(), 1U);
  auto writer = std::get<session::TreeTarget>(targets_.at(1))();
  auto file = writer->Create(RegularFile(std::string(plan::kSbomFilePrefix) + "sbom.spdx.json"));
  ASSERT_TRUE((*file)->Write(Statement("cached")));
  ASSERT_TRUE((*file)->Commit());
  ASSERT_TRUE(Collect(sboms, {}));
  ASSERT_TRUE(sboms.Write(""));
  EXPECT_EQ(NameIn(tree_.Read("sbom.spdx.json")), "cached");
}

TEST_F(SbomsTest, NothingButGarbageIsAnError) {
  Sboms sboms(tree_.root());
  PreparePush(sboms, "not a name!");
  PreparePush(sboms, "");
  for (const ExporterResponse& response :
       {ExporterResponse{}, ExporterResponse{{"containerimage.descriptor", "!"}}}) {
    EXPECT_FALSE(Collect(sboms, response));
  }
}

}  // namespace
}  // namespace depot::deliver::sbom_test
