#include "driver/registry/push_index.h"

#include <gtest/gtest.h>

#include "driver/base/text.h"
#include "tests/unit/registry/registry_server.h"

namespace depot::registry::push_index_test {
namespace {

using test::Connection;
using test::SeenRequest;
using Login = RegistryServer::Login;

const Platform kAmd64{"linux", "amd64", ""};
const Platform kArm64{"linux", "arm64", ""};

/// Two builders that pushed to two repositories of one registry, each an image for its platform:
/// the first as an index with an attestation, the second as a bare manifest.
class PushIndexTest : public testing::TestWithParam<Login> {
 protected:
  PushIndexTest() {
    for (const std::string path : {"a", "b/c"}) {
      Descriptor amd = AddImage(path, "amd64");
      about_ = server_.AddManifest(path, "", std::string(kOciManifestType), R"({"about":"amd64"})");
      SetAnnotation(about_, "vnd.docker.reference.type", "attestation-manifest");
      SetAnnotation(about_, "vnd.docker.reference.digest", amd.digest);
      Json platform;
      platform.Set("os", Json::String("linux"));
      platform.Set("architecture", Json::String("amd64"));
      SetPlatform(amd, platform);
      AssembledIndex index = *AssembleIndex({amd, about_}, {}, {});
      push_.pushed = {server_.AddManifest(path, "", index.media_type, index.bytes),
                      AddImage(path, "arm64")};
      arm_ = push_.pushed[1];
    }
    push_.platforms = {kArm64, kAmd64};
    push_.names = {server_.Name("a", "1"), server_.Name("b/c", "1"), server_.Name("a", "latest"),
                   server_.Name("a", "1")};
  }

  Descriptor AddImage(const std::string& path, const std::string& architecture) {
    std::string config = Cat(R"({"os":"linux","architecture":")", architecture, "\"}");
    std::string digest = server_.AddBlob(path, config);
    return server_.AddManifest(path, "", std::string(kOciManifestType),
                               Cat(R"({"config":{"mediaType":")", kOciConfigType, R"(","digest":")",
                                   digest, R"(","size":)", config.size(), R"(},"layers":[]})"));
  }

  Result<AssembledIndex> Push() {
    auto pushed = PushIndex(
        *registries_, push_, [this](std::string line) { said_.push_back(std::move(line)); },
        Cancel::Never());
    return std::move(pushed).map([](PushedIndex&& done) { return std::move(done.index); });
  }

  std::string ManifestTarget(const std::string& path, const Descriptor& descriptor) {
    return Cat("/v2/", path, "/manifests/", descriptor.digest);
  }

  RegistryServer server_{GetParam()};
  OneCredential credentials_{UserAndPassword()};
  Keyring keyring_{credentials_, {}};
  std::unique_ptr<http::HttpClient> client_ =
      http::MakeCurlClient("test/1", std::chrono::seconds(5), SystemRoots());
  std::unique_ptr<Registries> registries_ = MakeRegistries(*client_, keyring_, {});
  IndexPush push_;
  Descriptor about_;
  Descriptor arm_;
  std::vector<std::string> said_;
};

TEST_P(PushIndexTest, WritesOneIndexUnderEveryName) {
  auto index = Push();
  ASSERT_TRUE(index) << index.error().message();
  ASSERT_EQ(index->manifests.size(), 3U);
  EXPECT_EQ(FormatPlatform(*index->manifests[0].platform), "linux/arm64") << "from its config";
  EXPECT_EQ(FormatPlatform(*index->manifests[1].platform), "linux/amd64");
  EXPECT_EQ(index->manifests[2].digest, about_.digest);
  EXPECT_EQ(server_.Content("a", "1"), index->bytes);
  EXPECT_EQ(server_.Content("a", "latest"), index->bytes);
  EXPECT_EQ(server_.Content("b/c", "1"), index->bytes);
  EXPECT_EQ(said_.size(), 3U) << "a name that comes twice is written once";
}

TEST_P(PushIndexTest, NoTagWhenARepositoryLacksAManifest) {
  for (const Descriptor* missing : {&about_, &arm_}) {
    server_.Remove(ManifestTarget("b/c", *missing));
    auto index = Push();
    ASSERT_FALSE(index);
    EXPECT_EQ(index.error().code(), ErrorCode::kNotFound);
    EXPECT_NE(index.error().message().find(missing->digest), std::string::npos);
    EXPECT_NE(index.error().message().find(server_.host() + "/b/c"), std::string::npos);
    EXPECT_EQ(server_.Count("PUT"), 0);
  }
}

TEST_P(PushIndexTest, NoTagWhenWhatABuilderPushedIsGone) {
  server_.Remove(ManifestTarget("a", push_.pushed[0]));
  auto index = Push();
  ASSERT_FALSE(index);
  EXPECT_EQ(index.error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(server_.Count("PUT"), 0);
}

TEST_P(PushIndexTest, FailuresThatPassDoNotFailThePush) {
  server_.set_fault([](Connection& connection, const SeenRequest& request, int before) {
    if (before >= 1) return false;
    if (request.method == "PUT" && request.target.ends_with("/latest")) {
      connection.Break();
    } else {
      connection.Reply(request.method == "PUT" ? 500 : 429, "", "Retry-After: 0\r\n");
    }
    return true;
  });
  auto index = Push();
  ASSERT_TRUE(index) << index.error().message();
  EXPECT_EQ(server_.Content("a", "latest"), index->bytes);
  EXPECT_EQ(server_.Content("b/c", "1"), index->bytes);
}

TEST_P(PushIndexTest, NamesThatWereWrittenBeforeAFailureAreSaid) {
  server_.set_fault([](Connection& connection, const SeenRequest& request, int) {
    if (request.method != "PUT" || request.target != "/v2/a/manifests/latest") return false;
    connection.Reply(403, R"({"errors":[{"code":"DENIED","message":"tag is immutable"}]})");
    return true;
  });
  auto index = Push();
  ASSERT_FALSE(index);
  EXPECT_EQ(index.error().code(), ErrorCode::kDenied);
  EXPECT_NE(index.error().message().find(
                Cat("after writing ", server_.host(), "/a:1, ", server_.host(), "/b/c:1: ")),
            std::string::npos)
      << index.error().message();
  EXPECT_NE(index.error().message().find("DENIED: tag is immutable"), std::string::npos);
}

TEST_P(PushIndexTest, PlatformThatNobodyBuiltIsAnErrorBeforeAnyTag) {
  push_.platforms.push_back({"linux", "s390x", ""});
  auto index = Push();
  ASSERT_FALSE(index);
  EXPECT_EQ(index.error().message(), "no builder pushed an image for linux/s390x");
  EXPECT_EQ(server_.Count("PUT"), 0);
}

TEST_P(PushIndexTest, NameWithoutATagIsWrittenByDigest) {
  push_.names = {server_.Name("a", "")};
  auto index = Push();
  ASSERT_TRUE(index) << index.error().message();
  EXPECT_EQ(server_.Content("a", index->digest), index->bytes);
}

std::string NameOf(const testing::TestParamInfo<Login>& login) {
  const std::map<Login, std::string> names = {
      {Login::kNone, "Open"}, {Login::kBasic, "Basic"}, {Login::kBearer, "Bearer"}};
  return names.at(login.param);
}

INSTANTIATE_TEST_SUITE_P(Registries,
                         PushIndexTest,
                         testing::Values(Login::kNone, Login::kBasic, Login::kBearer),
                         NameOf);

}  // namespace
}  // namespace depot::registry::push_index_test
