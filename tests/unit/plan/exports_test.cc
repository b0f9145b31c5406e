#include "plugin/plan/exports.h"

#include <gtest/gtest.h>

#include "plugin/options/build_flags.h"

namespace depot::plan::exports_test {
namespace {

using Words = std::vector<std::string>;
using Attributes = std::map<std::string, std::string>;

builder::Features Remote() {
  builder::Features features;
  return features;
}

builder::Features ContainerdEngine() {
  builder::Features features = Remote();
  features.engine_store = true;
  return features;
}

builder::Features ClassicEngine() {
  builder::Features features = ContainerdEngine();
  features.all_exporters = false;
  return features;
}

options::BuildOptions Options(Words words) {
  words.push_back(".");
  auto options = options::ParseBuildFlags(words, "docker depot");
  if (options && *options) return **options;
  ADD_FAILURE() << (options ? "help" : options.error().message());
  return {};
}

Exports Plan(const Words& words, const builder::Features& features, const ExportFacts& facts = {}) {
  auto exports = PlanExports(Options(words), features, facts);
  if (exports) return *exports;
  ADD_FAILURE() << exports.error().message();
  return {};
}

Error Refusal(const Words& words,
              const builder::Features& features,
              const ExportFacts& facts = {}) {
  auto exports = PlanExports(Options(words), features, facts);
  if (!exports) {
    EXPECT_FALSE(exports.error().hint().empty());
    return exports.error();
  }
  ADD_FAILURE() << "accepted";
  return Error(ErrorCode::kInternal, "accepted");
}

const char kName[] = "docker.io/library/x:latest";

TEST(Exports, WhatIsDeletedIsBetweenTheUserAndUs) {
  Exports exports = Plan({"-o", "type=local,dest=out,mode=delete", "-o", "other"}, Remote());
  EXPECT_TRUE(exports.destinations[0].clear);
  EXPECT_FALSE(exports.destinations[1].clear);
  EXPECT_TRUE(exports.exporters[0].attrs.empty());
}

TEST(Exports, ALayoutIsAnArchiveForTheBuilder) {
  Exports exports = Plan({"-o", "type=oci,dest=out,tar=false"}, Remote());
  EXPECT_EQ(exports.destinations[0].kind, DestinationKind::kLayout);
  EXPECT_EQ(exports.destinations[0].path, "out");
  EXPECT_TRUE(exports.exporters[0].attrs.empty());
  ExportFacts facts;
  facts.several_builders = true;
  facts.platforms = {{"linux", "amd64", ""}};
  EXPECT_TRUE(Plan({"-o", "type=oci,dest=out,tar=false"}, Remote(), facts).destinations[0].part);
}

TEST(Exports, DeviceNodesAreBetweenTheUserAndUs) {
  Exports exports = Plan({"-o", "type=local,dest=out,devices=true"}, Remote());
  EXPECT_TRUE(exports.destinations[0].devices);
  EXPECT_FALSE(exports.exporters[0].attrs.contains("devices"));
  EXPECT_FALSE(Plan({"-o", "out"}, Remote()).destinations[0].devices);
  EXPECT_FALSE(Plan({"-o", "type=local,dest=out,devices=0"}, Remote()).destinations[0].devices);
  Refusal({"-o", "type=local,dest=out,devices=some"}, Remote());
  Refusal({"-o", "type=tar,dest=out,devices=true"}, Remote());
}

TEST(Exports, NoOutputOnARemoteBuilderWarns) {
  Exports exports = Plan({"-t", "x"}, Remote());
  EXPECT_TRUE(exports.exporters.empty());
  ASSERT_EQ(exports.warnings.size(), 1u);
  EXPECT_NE(exports.warnings[0].find("--push"), std::string::npos);
  EXPECT_NE(exports.warnings[0].find("--load"), std::string::npos);
  ExportFacts quiet;
  quiet.no_default_load = true;
  EXPECT_TRUE(Plan({}, Remote(), quiet).warnings.empty());
  EXPECT_TRUE(Plan({"-o", "type=cacheonly"}, Remote()).warnings.empty());
}

TEST(Exports, NoOutputOnAnEngineStaysInTheEngine) {
  Exports store = Plan({"-t", "x"}, ContainerdEngine());
  ASSERT_EQ(store.exporters.size(), 1u);
  EXPECT_EQ(store.exporters[0].type, "moby");
  EXPECT_EQ(store.exporters[0].attrs,
            (Attributes{{"name", kName}, {"prefer-image-digest", "true"}}));
  Exports classic = Plan({}, ClassicEngine());
  ASSERT_EQ(classic.exporters.size(), 1u);
  EXPECT_EQ(classic.exporters[0].type, "moby");
  EXPECT_TRUE(classic.exporters[0].attrs.empty());
  EXPECT_EQ(classic.destinations[0].kind, DestinationKind::kNone);
  ExportFacts off;
  off.no_default_load = true;
  EXPECT_TRUE(Plan({"-t", "x"}, ContainerdEngine(), off).exporters.empty());
  EXPECT_TRUE(Plan({"-o", "type=cacheonly"}, ContainerdEngine()).exporters.empty());
}

TEST(Exports, LoadFromARemoteBuilderTravelsAsAnArchive) {
  Exports classic = Plan({"--load", "-t", "x"}, Remote());
  ASSERT_EQ(classic.exporters.size(), 1u);
  EXPECT_EQ(classic.exporters[0].type, "docker");
  EXPECT_EQ(classic.exporters[0].attrs, (Attributes{{"name", kName}}));
  EXPECT_EQ(classic.destinations[0].kind, DestinationKind::kEngineLoad);
  ExportFacts facts;
  facts.engine_containerd_store = true;
  Exports store = Plan({"-o", "type=docker", "--load", "-t", "x"}, Remote(), facts);
  ASSERT_EQ(store.exporters.size(), 1u);
  EXPECT_EQ(store.exporters[0].type, "oci");
  EXPECT_EQ(store.exporters[0].attrs.at("prefer-image-digest"), "true");
  EXPECT_EQ(store.destinations[0].kind, DestinationKind::kEngineLoad);
}

TEST(Exports, LoadFromARemoteBuilderLayerByLayer) {
  ExportFacts facts;
  facts.load_layers = true;
  builder::Features remote = Remote();
  remote.attestations = true;
  Exports classic = Plan({"--load", "-t", "x"}, remote, facts);
  ASSERT_EQ(classic.exporters.size(), 1u);
  EXPECT_EQ(classic.exporters[0].type, "oci");
  EXPECT_EQ(classic.exporters[0].attrs,
            (Attributes{{"name", kName}, {"tar", "false"}, {"compression-level", "1"}}));
  EXPECT_EQ(classic.destinations[0].kind, DestinationKind::kEngineLayers);
  EXPECT_TRUE(classic.destinations[0].classic_store);
  // What one platform and no attestations are is known when the image is.
  facts.platforms = {{"linux", "amd64", ""}, {"linux", "arm64", ""}};
  EXPECT_EQ(Plan({"--load", "--sbom=true"}, remote, facts).destinations[0].kind,
            DestinationKind::kEngineLayers);
  facts.engine_containerd_store = true;
  Exports store = Plan({"-o", "type=docker", "-t", "x"}, remote, facts);
  EXPECT_EQ(store.exporters[0].attrs,
            (Attributes{{"name", kName}, {"tar", "false"}, {"prefer-image-digest", "true"}}));
  EXPECT_FALSE(store.destinations[0].classic_store);
}

TEST(Exports, OneStoreIsForOneLoad) {
  ExportFacts facts;
  facts.load_layers = true;
  facts.engine_containerd_store = true;
  builder::Features remote = Remote();
  EXPECT_EQ(Plan({"--load"}, remote, facts).destinations[0].kind, DestinationKind::kEngineLoad);
  remote.attestations = true;
  // What differs in its names alone is one image.
  Exports one = Plan({"-o", "type=docker,name=a", "-o", "type=docker,name=b"}, remote, facts);
  ASSERT_EQ(one.exporters.size(), 1u);
  EXPECT_EQ(one.exporters[0].attrs.at("name"), "a,b");
  EXPECT_EQ(one.destinations[0].kind, DestinationKind::kEngineLayers);
  Exports two = Plan({"-o", "type=docker,name=a", "-o", "type=docker,name=b,compression=zstd"},
                     remote, facts);
  ASSERT_EQ(two.destinations.size(), 2u);
  for (const Destination& destination : two.destinations)
    EXPECT_EQ(destination.kind, DestinationKind::kEngineLoad);
}

TEST(Exports, LoadOnAnEngineMovesNothing) {
  for (const auto& features : {ContainerdEngine(), ClassicEngine()}) {
    Exports exports = Plan({"--load", "-t", "x"}, features);
    ASSERT_EQ(exports.exporters.size(), 1u);
    EXPECT_EQ(exports.exporters[0].type, "moby");
    EXPECT_EQ(exports.destinations[0].kind, DestinationKind::kNone);
    EXPECT_TRUE(exports.engine_pushes.empty());
  }
}

TEST(Exports, PushFromARemoteBuilder) {
  Exports exports = Plan({"--push", "-t", "r.example/x:1", "-t", "y", "-t", "y:latest"}, Remote());
  ASSERT_EQ(exports.exporters.size(), 1u);
  EXPECT_EQ(exports.exporters[0].type, "image");
  EXPECT_EQ(exports.exporters[0].attrs,
            (Attributes{{"name", "r.example/x:1,docker.io/library/y:latest"},
                        {"push", "true"},
                        {"unpack", "false"}}));
  EXPECT_TRUE(exports.engine_pushes.empty());
}

TEST(Exports, RegistryIsAnImageThatIsPushed) {
  Exports exports = Plan({"-o", "type=registry,name=r/x,unpack=true"}, Remote());
  EXPECT_EQ(exports.exporters[0].type, "image");
  EXPECT_EQ(exports.exporters[0].attrs,
            (Attributes{{"name", "r/x"}, {"push", "true"}, {"unpack", "true"}}));
}

TEST(Exports, PushMarksTheImageOutputThatIsThere) {
  Exports exports = Plan({"--push", "-t", "x", "-o", "type=image,compression=zstd"}, Remote());
  ASSERT_EQ(exports.exporters.size(), 1u);
  EXPECT_EQ(exports.exporters[0].attrs.at("push"), "true");
  EXPECT_EQ(exports.exporters[0].attrs.at("compression"), "zstd");
}

TEST(Exports, PushOnAContainerdEngineIsDoneByItsBuildKit) {
  Exports exports = Plan({"--push", "-t", "x"}, ContainerdEngine());
  ASSERT_EQ(exports.exporters.size(), 1u);
  EXPECT_EQ(exports.exporters[0].type, "moby");
  EXPECT_EQ(exports.exporters[0].attrs.at("push"), "true");
  EXPECT_TRUE(exports.engine_pushes.empty());
}

TEST(Exports, PushOnAClassicEngineIsDoneByTheEngineAfterwards) {
  Exports exports = Plan({"--push", "-t", "x", "-t", "r.example/y:2"}, ClassicEngine());
  ASSERT_EQ(exports.exporters.size(), 1u);
  EXPECT_EQ(exports.exporters[0].type, "moby");
  EXPECT_EQ(exports.exporters[0].attrs.count("push"), 0u);
  EXPECT_EQ(exports.engine_pushes, (Words{kName, "r.example/y:2"}));
}

TEST(Exports, PushAndLoadTogether) {
  Exports remote = Plan({"--push", "--load", "-t", "x"}, Remote());
  ASSERT_EQ(remote.exporters.size(), 2u);
  EXPECT_EQ(remote.exporters[0].type, "image");
  EXPECT_EQ(remote.destinations[1].kind, DestinationKind::kEngineLoad);
  Exports engine = Plan({"--push", "--load", "-t", "x"}, ContainerdEngine());
  ASSERT_EQ(engine.exporters.size(), 1u);
  EXPECT_EQ(engine.exporters[0].attrs.at("push"), "true");
  EXPECT_EQ(engine.exporters[0].attrs.count("unpack"), 0u);
}

TEST(Exports, PushWithLocalDoesBoth) {
  Exports exports = Plan({"--push", "-t", "x", "-o", "out"}, Remote());
  ASSERT_EQ(exports.exporters.size(), 2u);
  EXPECT_EQ(exports.exporters[0].type, "local");
  EXPECT_EQ(exports.exporters[0].attrs.count("name"), 0u);
  EXPECT_EQ(exports.destinations[0].kind, DestinationKind::kDirectory);
  EXPECT_EQ(exports.destinations[0].path, "out");
  EXPECT_EQ(exports.exporters[1].type, "image");
}

TEST(Exports, ArchivesGoToFilesOrStandardOutput) {
  for (const auto& features : {Remote(), ContainerdEngine(), ClassicEngine()}) {
    EXPECT_EQ(Plan({"-o", "type=tar,dest=f"}, features).destinations[0].kind,
              DestinationKind::kFile);
    EXPECT_EQ(Plan({"-o", "-"}, features).destinations[0].kind, DestinationKind::kStandardOutput);
    EXPECT_EQ(Plan({"-o", "d"}, features).destinations[0].kind, DestinationKind::kDirectory);
  }
  EXPECT_EQ(Plan({"-o", "type=oci"}, Remote()).destinations[0].kind,
            DestinationKind::kStandardOutput);
  Exports docker = Plan({"-o", "type=docker,dest=f,tar=true", "-t", "x"}, Remote());
  EXPECT_EQ(docker.destinations[0].path, "f");
  EXPECT_EQ(docker.exporters[0].attrs, (Attributes{{"name", kName}}));
  EXPECT_EQ(Plan({"-o", "type=docker,dest=f"}, ContainerdEngine()).exporters[0].type, "docker");
}

TEST(Exports, PlacesOfArchivesAreKnownBeforeThereIsABuilder) {
  const auto places = ArchivePlaces(
      Options({"-o", "type=tar,dest=f", "-o", "d", "-o", "type=docker", "-o", "type=oci"}));
  ASSERT_EQ(places.size(), 2u);
  EXPECT_EQ(places[0].path, "f");
  EXPECT_EQ(places[1].kind, DestinationKind::kStandardOutput);
}

TEST(Exports, ClassicEngineLeavesAnnotationsOutAndSaysSo) {
  const Exports exports =
      Plan({"--annotation", "a=b", "--annotation", "manifest:c=d", "-t", "x"}, ClassicEngine());
  EXPECT_EQ(exports.exporters[0].attrs, (Attributes{{"name", kName}}));
  ASSERT_EQ(exports.warnings.size(), 1u);
  EXPECT_NE(exports.warnings[0].find("annotations have no effect"), std::string::npos);
  EXPECT_EQ(Refusal({"--annotation", "index:a=b"}, ClassicEngine()).code(),
            ErrorCode::kUnsupported);
}

TEST(Exports, ClassicEngineRefusesWhatItCannotDo) {
  Error oci = Refusal({"-o", "type=oci,dest=f"}, ClassicEngine());
  EXPECT_EQ(oci.code(), ErrorCode::kUnsupported);
  EXPECT_EQ(oci.message(),
            "--output type=oci: an Engine with the classic image store has no such exporter");
  EXPECT_NE(oci.hint().find("--builder"), std::string::npos);
  EXPECT_EQ(Refusal({"-o", "type=docker,dest=f"}, ClassicEngine()).code(), ErrorCode::kUnsupported);
  EXPECT_EQ(Refusal({"-o", "type=image,compression=zstd"}, ClassicEngine()).message(),
            "--output compression=zstd: an Engine with the classic image store cannot do that");
}

TEST(Exports, EnginesRefusePushByDigest) {
  Words words = {"-o", "type=image,name=r/x,push=true,push-by-digest=true"};
  EXPECT_EQ(Refusal(words, ClassicEngine()).code(), ErrorCode::kUnsupported);
  EXPECT_EQ(Refusal(words, ContainerdEngine()).message(),
            "push-by-digest=true: the Docker Engine's BuildKit cannot do that");
  EXPECT_EQ(Plan(words, Remote()).exporters[0].attrs.at("push-by-digest"), "true");
}

TEST(Exports, AttestationsDoNotGoWhereThereIsNoPlaceForThem) {
  ExportFacts containerd;
  containerd.engine_containerd_store = true;
  EXPECT_EQ(Refusal({"--load", "--sbom=true"}, Remote()).message(),
            "--load: an Engine with the classic image store holds no attestations (sbom)");
  EXPECT_EQ(Refusal({"-o", "type=docker,dest=f", "--provenance=true"}, Remote(), containerd).code(),
            ErrorCode::kUnsupported);
  EXPECT_EQ(Plan({"--load", "--sbom=true"}, Remote(), containerd).exporters[0].type, "oci");
  EXPECT_EQ(Plan({"--load", "--sbom=true"}, ContainerdEngine()).exporters[0].type, "moby");
  EXPECT_EQ(Plan({"--load", "--provenance=false"}, Remote()).exporters[0].type, "docker");
}

TEST(Exports, ImageIdFileNeedsAnImage) {
  EXPECT_EQ(Refusal({"--iidfile", "i"}, Remote()).message(),
            "--iidfile: there is no image ID: this build makes no image");
  EXPECT_EQ(Plan({"--iidfile", "i"}, ClassicEngine()).exporters.size(), 1u);
  EXPECT_EQ(Plan({"--iidfile", "i", "-o", "type=image"}, Remote()).exporters.size(), 1u);
}

TEST(Exports, TagReplacesTheNameOfAnOutputAndSaysSo) {
  Exports exports = Plan({"-t", "x", "-o", "type=oci,dest=f,name=y"}, Remote());
  EXPECT_EQ(exports.exporters[0].attrs.at("name"), kName);
  EXPECT_EQ(exports.warnings, (Words{"--tag replaces name=y of --output"}));
}

const Platform kAmd64{"linux", "amd64", ""};
const Platform kArm64{"linux", "arm64", ""};

ExportFacts OneOfSeveral(const std::vector<Platform>& platforms = {kAmd64}) {
  ExportFacts facts;
  facts.several_builders = true;
  facts.platforms = platforms;
  facts.engine_containerd_store = true;
  return facts;
}

Words IndexNames(const Exports& exports, std::size_t exporter) {
  Words names;
  for (const Reference& name : exports.destinations.at(exporter).index_names)
    names.push_back(FormatReference(name));
  return names;
}

TEST(SharedExports, APushIsByDigestAndTheNamesAreForTheIndex) {
  Words words = {"--push", "-t", "r.example/x:1", "-t", "r.example/x:2", "-t", "y"};
  Exports exports = Plan(words, Remote(), OneOfSeveral());
  ASSERT_EQ(exports.exporters.size(), 1u);
  EXPECT_EQ(exports.exporters[0].attrs.at("name"), "r.example/x,docker.io/library/y");
  EXPECT_EQ(exports.exporters[0].attrs.at("push-by-digest"), "true");
  EXPECT_EQ(IndexNames(exports, 0),
            (Words{"r.example/x:1", "r.example/x:2", "docker.io/library/y:latest"}));
}

TEST(Exports, TagsWithRulesAreWrittenByUs) {
  for (const char* rule : {"--tag-guard=3", "--merge-index"}) {
    Words words = {"--push", "--load", "-t", "r.example/x:1", "-t", "y", rule};
    words.insert(words.end(), {"--annotation", "index:team=blue", "--annotation", "word=w"});
    Exports exports = Plan(words, Remote());
    ASSERT_EQ(exports.exporters.size(), 2u);
    EXPECT_EQ(exports.destinations[0].kind, DestinationKind::kEngineLoad);
    EXPECT_EQ(exports.exporters[0].attrs.at("name"), "r.example/x:1,docker.io/library/y:latest");
    EXPECT_EQ(IndexNames(exports, 0), Words());
    EXPECT_EQ(exports.exporters[1].attrs.at("name"), "r.example/x,docker.io/library/y");
    EXPECT_EQ(exports.exporters[1].attrs.at("push-by-digest"), "true");
    EXPECT_EQ(exports.exporters[1].attrs.at("annotation.word"), "w");
    EXPECT_FALSE(exports.exporters[1].attrs.contains("annotation-index.team"));
    EXPECT_EQ(IndexNames(exports, 1), (Words{"r.example/x:1", "docker.io/library/y:latest"}));
    ASSERT_EQ(exports.destinations[1].annotations.size(), 1u);
    EXPECT_EQ(exports.destinations[1].annotations[0].key, "team");
    for (const builder::Features& engine : {ContainerdEngine(), ClassicEngine()}) {
      EXPECT_EQ(Refusal({"--push", "-t", "x", rule}, engine).code(), ErrorCode::kUnsupported);
    }
  }
}

TEST(SharedExports, WhoWantsNoTagGetsNone) {
  Words words = {"-o", "type=image,\"name=r.example/x,r.example/y\",push=true,push-by-digest=true"};
  Exports exports = Plan(words, Remote(), OneOfSeveral());
  EXPECT_EQ(exports.exporters[0].attrs.at("name"), "r.example/x,r.example/y");
  EXPECT_EQ(exports.exporters[0].attrs.at("push-by-digest"), "true");
  EXPECT_EQ(IndexNames(exports, 0), (Words{"r.example/x", "r.example/y"}));
  for (const ExportFacts& facts : {OneOfSeveral(), ExportFacts()}) {
    words[1] = "type=image,name=r.example:5000/x:1,push=true,push-by-digest=true";
    EXPECT_EQ(Refusal(words, Remote(), facts).message(),
              "push-by-digest=true pushes without a tag, but name=r.example:5000/x:1 has one");
    words[1] = "type=image,name=r.example:5000/x,push=true,push-by-digest=true";
    Plan(words, Remote(), facts);
  }
}

TEST(SharedExports, EveryPushHasAnIndexOfItsOwn) {
  Words words = {"-o", "type=image,name=r/x:1,push=true,compression=zstd",
                 "-o", "out",
                 "-o", "type=registry,name=r/x:2"};
  Exports exports = Plan(words, Remote(), OneOfSeveral());
  ASSERT_EQ(exports.exporters.size(), 3u);
  EXPECT_EQ(exports.exporters[0].type, "local");
  EXPECT_EQ(IndexNames(exports, 0), Words());
  EXPECT_EQ(IndexNames(exports, 1), (Words{"docker.io/r/x:1"}));
  EXPECT_EQ(exports.exporters[1].attrs.at("compression"), "zstd");
  EXPECT_EQ(IndexNames(exports, 2), (Words{"docker.io/r/x:2"}));
}

TEST(SharedExports, WhatIsPushedComesLast) {
  Words words = {"-o", "type=image,name=r/x,push=true", "-o", "type=oci,dest=f"};
  Exports exports = Plan(words, Remote(), OneOfSeveral());
  ASSERT_EQ(exports.exporters.size(), 2u);
  EXPECT_EQ(exports.exporters[0].type, "oci");
  EXPECT_TRUE(exports.destinations[0].part);
  EXPECT_EQ(exports.exporters[1].type, "image");
}

TEST(SharedExports, FilesGoToAFolderOfThePlatform) {
  Exports one = Plan({"-o", "out"}, Remote(), OneOfSeveral({{"linux", "arm", "v7"}}));
  EXPECT_EQ(one.destinations[0].path, "out");
  EXPECT_EQ(one.destinations[0].folder, "linux_arm_v7");
  Words split = {"-o", "type=local,dest=out,platform-split=true"};
  EXPECT_EQ(Plan(split, Remote(), OneOfSeveral()).exporters[0].attrs.count("platform-split"), 0u);
  // A builder makes the folders of several platforms by itself.
  Exports two = Plan({"-o", "out"}, Remote(), OneOfSeveral({kAmd64, {"linux", "386", ""}}));
  EXPECT_EQ(two.destinations[0].folder, "");
  EXPECT_FALSE(two.destinations[0].together);
}

TEST(SharedExports, FilesOfAllLieTogetherWhenAskedFor) {
  for (const char* output :
       {"type=local,dest=out,platform-split=false", "type=tar,dest=f,platform-split=false"}) {
    Exports one = Plan({"-o", output}, Remote(), OneOfSeveral());
    EXPECT_EQ(one.destinations[0].folder, "");
    EXPECT_TRUE(one.destinations[0].together);
    EXPECT_EQ(one.exporters[0].attrs.count("platform-split"), 0u);
    // What a builder of several platforms makes of its own is its affair.
    Exports two = Plan({"-o", output}, Remote(), OneOfSeveral({kAmd64, {"linux", "386", ""}}));
    EXPECT_TRUE(two.destinations[0].together);
    EXPECT_EQ(two.exporters[0].attrs.at("platform-split"), "false");
  }
}

TEST(SharedExports, AnArchiveForDockerOfSeveralPlatformsIsAnOciArchive) {
  ExportFacts two;
  two.platforms = {kAmd64, kArm64};
  for (const ExportFacts& facts : {OneOfSeveral(), two}) {
    Exports exports = Plan({"-o", "type=docker,dest=f"}, Remote(), facts);
    EXPECT_EQ(exports.exporters[0].type, "oci");
    EXPECT_EQ(exports.destinations[0].part, facts.several_builders);
    ASSERT_EQ(exports.warnings.size(), 1u);
    EXPECT_NE(exports.warnings[0].find("docker load takes it"), std::string::npos);
  }
}

TEST(SharedExports, WhatAnOutputSaysOfTheIndexStaysWithUs) {
  const Words words = {"-o",
                       "type=oci,dest=f,annotation-index.a=1,annotation-index.b=2,"
                       "annotation-manifest-descriptor[linux/arm64].c=3,annotation.d=4,"
                       "annotation-manifest[linux/amd64].e=5,annotation-manifest[linux/arm64].e=6",
                       "--annotation", "index:b=flag"};
  Exports exports = Plan(words, Remote(), OneOfSeveral());
  Attributes attrs = exports.exporters[0].attrs;
  std::erase_if(attrs, [](const auto& one) { return !one.first.starts_with("annotation"); });
  EXPECT_EQ(attrs, (Attributes{{"annotation.d", "4"}, {"annotation.e", "5"}}));
  Words said;
  for (const options::Annotation& one : exports.destinations[0].annotations)
    said.push_back(one.type + " " + one.key + "=" + one.value);
  EXPECT_EQ(said, (Words{"index a=1", "index b=flag", "manifest-descriptor c=3"}));
}

TEST(Exports, WhatHasNoOutputIsLoadedWhereTheBuilderWasMadeSo) {
  ExportFacts facts;
  facts.default_load = true;
  Exports exports = Plan({}, Remote(), facts);
  ASSERT_EQ(exports.destinations.size(), 1u);
  EXPECT_EQ(exports.destinations[0].kind, DestinationKind::kEngineLoad);
  EXPECT_TRUE(exports.warnings.empty());
  facts.no_default_load = true;
  EXPECT_TRUE(Plan({}, Remote(), facts).exporters.empty());
  options::BuildOptions options;
  EXPECT_TRUE(LeavesLoadToTheDefault(options, {}));
  EXPECT_FALSE(LeavesLoadToTheDefault(options, {{"BUILDX_NO_DEFAULT_LOAD", "1"}}));
  EXPECT_FALSE(LeavesLoadToTheDefault(options, {{"DEPOT_LOAD", "0"}}));
  EXPECT_TRUE(LeavesLoadToTheDefault(options, {{"DEPOT_LOAD", "1"}}));
  options.push = true;
  EXPECT_FALSE(LeavesLoadToTheDefault(options, {}));
}

TEST(Exports, WhereNoEngineAnswersNothingIsLoadedAndOneLineSaysSo) {
  ExportFacts facts;
  facts.not_loaded = "nothing is loaded: nobody is there";
  Exports exports = Plan({}, Remote(), facts);
  EXPECT_TRUE(exports.exporters.empty());
  EXPECT_EQ(exports.warnings, (Words{facts.not_loaded}));
}

TEST(SharedExports, TheClassicStoreTakesOnePlatform) {
  ExportFacts facts = OneOfSeveral();
  facts.engine_containerd_store = false;
  EXPECT_EQ(Refusal({"--load", "-t", "x"}, Remote(), facts).code(), ErrorCode::kUnsupported);
  EXPECT_TRUE(Plan({"--load", "-t", "x"}, Remote(), OneOfSeveral()).destinations[0].part);
}

TEST(SharedExports, AnnotationsOfTheIndexStayWithUs) {
  Words words = {"-t", "x", "--push"};
  for (const char* annotation :
       {"index:a=1", "index-descriptor:b=2", "manifest-descriptor:c=3", "manifest[linux/arm64]:d=4",
        "manifest[linux/amd64]:e=5", "manifest:e=all", "f=6"}) {
    words.insert(words.end(), {"--annotation", annotation});
  }
  Attributes attrs = Plan(words, Remote(), OneOfSeveral()).exporters[0].attrs;
  std::erase_if(attrs, [](const auto& one) { return !one.first.starts_with("annotation"); });
  // A builder of one platform is told without naming it, and what was said for it wins.
  EXPECT_EQ(attrs, (Attributes{{"annotation.e", "5"}, {"annotation.f", "6"}}));
}

TEST(Exports, AnnotationsOfABuilderOfSeveralPlatformsNameThem) {
  ExportFacts facts;
  facts.platforms = {kAmd64, kArm64};
  Words words = {"-t",           "x",        "--push", "--annotation", "manifest[linux/arm64]:d=4",
                 "--annotation", "index:a=1"};
  Attributes attrs = Plan(words, Remote(), facts).exporters[0].attrs;
  EXPECT_EQ(attrs.at("annotation-manifest[linux/arm64].d"), "4");
  EXPECT_EQ(attrs.at("annotation-index.a"), "1");
}

/// The repositories whose rights are asked for before the build.
Words Targets(const Words& words, const Words& save_as = {}) {
  auto targets = PushTargets(Options(words), save_as);
  Words repositories;
  if (!targets) {
    ADD_FAILURE() << targets.error().message();
    return repositories;
  }
  for (const Reference& target : *targets)
    repositories.push_back(RepositoryOf(target));
  return repositories;
}

TEST(PushTargets, EveryRepositoryIsThereOnce) {
  Words tags = {"-t", "x", "-t", "x:2", "-t", "r.example:5000/a/b", "-t", "r.example:5000/a/b:1"};
  Words pushed = tags;
  pushed.push_back("--push");
  Words expected = {"docker.io/library/x", "r.example:5000/a/b"};
  EXPECT_EQ(Targets(pushed), expected);
  EXPECT_EQ(Targets(tags), Words());
}

TEST(PushTargets, OutputsThatPushHaveNamesOfTheirOwn) {
  EXPECT_EQ(Targets({"-o", "type=registry,name=r.example/a"}), Words{"r.example/a"});
  EXPECT_EQ(Targets({"-o", "type=image,push=true,\"name=r.example/a,r.example/b:1\""}),
            (Words{"r.example/a", "r.example/b"}));
  EXPECT_EQ(Targets({"-o", "type=image,push=true,push-by-digest=true,name=r.example/a"}),
            Words{"r.example/a"});
  EXPECT_EQ(Targets({"-o", "type=image,push=false,name=r.example/a"}), Words());
  EXPECT_EQ(Targets({"-o", "type=oci,dest=x,name=r.example/a"}), Words());
  EXPECT_EQ(Targets({"-o", "type=registry,name=r.example/a", "-t", "r.example/b"}),
            Words{"r.example/b"})
      << "the tag replaces the name";
}

TEST(PushTargets, SavingPushesToTheRegistryOfTheApi) {
  Words save_as = {"registry.depot.dev/p1:b1", "registry.depot.dev/p1:tag"};
  EXPECT_EQ(Targets({"--save"}, save_as), Words{"registry.depot.dev/p1"});
  EXPECT_EQ(Targets({"--save", "-t", "r.example/a"}, save_as), Words{"registry.depot.dev/p1"});
  EXPECT_EQ(Targets({"--save", "--push", "-t", "r.example/a"}, save_as),
            (Words{"r.example/a", "registry.depot.dev/p1"}));
}

TEST(Exports, AnImageThatIsNotKeptSendsItsSbomsAlone) {
  for (const Words& words : {Words{"--sbom-dir=d"}, Words{"--sbom-dir=d", "-o", "type=tar,dest=x"},
                             Words{"--sbom-dir=d", "-o", "type=cacheonly"}}) {
    Exports exports = Plan(words, Remote());
    ASSERT_FALSE(exports.exporters.empty());
    EXPECT_EQ(exports.exporters.size(), exports.destinations.size());
    EXPECT_EQ(exports.exporters.back().type, "local");
    EXPECT_EQ(exports.exporters.back().attrs,
              (Attributes{{"attestation-prefix", std::string(kSbomFilePrefix)}}));
    EXPECT_EQ(exports.destinations.back().kind, DestinationKind::kSbomFiles);
  }
}

TEST(Exports, AnImageThatIsPushedOrInAnEngineIsReadForItsSboms) {
  for (const Exports& exports : {Plan({"--sbom-dir=d", "--push", "-tx"}, Remote()),
                                 Plan({"--sbom-dir=d", "-tx"}, ContainerdEngine())}) {
    ASSERT_EQ(exports.destinations.size(), 1u);
    EXPECT_EQ(exports.destinations[0].kind, DestinationKind::kNone);
  }
}

TEST(InsecureRegistries, AreThoseOfOutputsThatSaySo) {
  EXPECT_TRUE(InsecureRegistries(Options({"--push", "-t", "r.example/x"})).empty());
  EXPECT_EQ(InsecureRegistries(
                Options({"-o", "type=registry,registry.insecure=true,name=Host.example:5/x"})),
            (std::set<std::string>{"host.example:5"}));
}

}  // namespace
}  // namespace depot::plan::exports_test
