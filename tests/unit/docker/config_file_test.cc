#include "driver/docker/config_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "driver/base/encode.h"
#include "driver/base/text.h"
#include "tests/unit/http/certificates.h"

namespace depot::docker::config_file_test {
namespace {

using test::TempDir;

constexpr std::string_view kSecret = "hunter2-s3cr3t";

Result<ConfigFile> Read(std::string_view content) {
  TempDir dir;
  dir.Write("config.json", content);
  return ReadConfigFile(dir.path());
}

TEST(ConfigFile, MissingAndEmptyFilesAreEmptyConfigs) {
  Result<ConfigFile> config = ReadConfigFile("/nonexistent");
  ASSERT_TRUE(config);
  EXPECT_EQ(config->path, "/nonexistent/config.json");
  EXPECT_EQ(config->directory, "/nonexistent");
  for (std::string_view text : {"", " \n", "{}", R"({"auths":null,"credsStore":null})"}) {
    config = Read(text);
    ASSERT_TRUE(config) << text;
    EXPECT_TRUE(config->auths.empty());
  }
}

TEST(ConfigFile, ReadsWhatWeUse) {
  Result<ConfigFile> config = Read(Cat(R"({
    "auths": {
      "https://index.docker.io/v1/": {"auth": ")",
                                       Base64("me:a:b"), R"("},
      "r.test": {"username": "u", "password": "p", "email": "x"},
      "t.test": {"identitytoken": "i", "registrytoken": "r", "auth": ""},
      "nul.test": {"auth": ")",
                                       Base64(std::string("u:p\0", 4)), R"("},
      "helped.test": {}
    },
    "credsstore": "desktop",
    "credHelpers": {"ecr.test": "ecr-login"},
    "currentContext": "remote",
    "HttpHeaders": {"X-Meta": "1"},
    "proxies": {"default": {"httpProxy": "http://p:1"}},
    "psFormat": 7, "plugins": {"x": {"y": "z"}}})"));
  ASSERT_TRUE(config) << config.error().message();
  ASSERT_EQ(config->auths.size(), 5U);
  const AuthEntry& hub = config->auths.at("https://index.docker.io/v1/");
  EXPECT_EQ(hub.username, "me");
  EXPECT_EQ(hub.password.Reveal(), "a:b");
  EXPECT_EQ(config->auths.at("r.test").password.Reveal(), "p");
  EXPECT_EQ(config->auths.at("t.test").identity_token.Reveal(), "i");
  EXPECT_EQ(config->auths.at("t.test").registry_token.Reveal(), "r");
  EXPECT_EQ(config->auths.at("nul.test").password.Reveal(), "p");
  EXPECT_EQ(config->creds_store, "desktop") << "names match without regard to case, as in Go";
  EXPECT_EQ(config->cred_helpers.at("ecr.test"), "ecr-login");
  EXPECT_EQ(config->current_context, "remote");
  EXPECT_EQ(config->http_headers.at("X-Meta"), "1");
  EXPECT_EQ(config->proxies.at("default").at("httpProxy"), "http://p:1");
}

struct Malformed {
  std::string text;
  std::string says;
};

class MalformedConfig : public testing::TestWithParam<Malformed> {};

TEST_P(MalformedConfig, NamesPlaceAndKeyButNoValue) {
  TempDir dir;
  std::string path = dir.Write("config.json", GetParam().text);
  Result<ConfigFile> config = ReadConfigFile(dir.path());
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().code(), ErrorCode::kInvalid);
  EXPECT_EQ(config.error().message(), Cat(path, ": ", GetParam().says));
}

INSTANTIATE_TEST_SUITE_P(
    Table,
    MalformedConfig,
    testing::Values(
        Malformed{"{\n  \"auths\": {\n  oops hunter2-s3cr3t", "not valid JSON at line 3, column 3"},
        Malformed{"{} {}", "not valid JSON at line 1, column 4"},
        Malformed{"[]", "the file must hold a JSON object"},
        Malformed{R"({"auths": ["hunter2-s3cr3t"]})", "auths must be an object"},
        Malformed{R"({"auths": {"r": "hunter2-s3cr3t"}})", R"(auths."r" must be an object)"},
        Malformed{R"({"auths": {"r": {"auth": 5}}})", R"(auths."r".auth must be a string)"},
        Malformed{R"({"auths": {"r": {"auth": "hunter2-s3cr3t!"}}})",
                  R"(auths."r".auth is not base64)"},
        Malformed{R"({"auths": {"r": {"auth": "aHVudGVyMg=="}}})",
                  R"(auths."r".auth is not the base64 of user:password)"},
        Malformed{R"({"auths": {"r": {"auth": "Omh1bnRlcjI="}}})",
                  R"(auths."r".auth is not the base64 of user:password)"},
        Malformed{R"({"auths": {"https://u:hunter2-s3cr3t@r": {"password": 1}}})",
                  R"(auths."https://xxxxx:xxxxx@r".password must be a string)"},
        Malformed{R"({"credsStore": {}})", "credsStore must be a string"},
        Malformed{R"({"credHelpers": {"r": 1}})", "credHelpers.r must be a string"},
        Malformed{R"({"HttpHeaders": {"r": ["hunter2-s3cr3t"]}})",
                  "HttpHeaders.r must be a string"},
        Malformed{R"({"proxies": {"default": "hunter2-s3cr3t"}})",
                  "proxies.default must be an object"},
        Malformed{R"({"currentContext": 1})", "currentContext must be a string"}));

TEST(ConfigFile, DirectoryInItsPlaceIsAnErrorAndAPipeDoesNotBlock) {
  TempDir dir;
  dir.Write("config.json/x", "");
  Result<ConfigFile> config = ReadConfigFile(dir.path());
  ASSERT_FALSE(config);
  EXPECT_NE(config.error().message().find(dir.path("config.json")), std::string::npos);
  TempDir other;
  ASSERT_EQ(::mkfifo(other.path("config.json").c_str(), 0600), 0);
  EXPECT_TRUE(ReadConfigFile(other.path()));
}

TEST(AuthConfig, ReadsTheDocumentedForms) {
  for (const char* key : {"https://index.docker.io/v1/", "registry.example.com:5000"}) {
    auto auths =
        ParseAuthConfig(Cat(R"({"auths":{")", key, R"(":{"auth":")", Base64("u:p"), "\"}}}\n"));
    ASSERT_TRUE(auths) << auths.error().message();
    EXPECT_EQ(auths->at(key).username, "u");
  }
  EXPECT_TRUE(ParseAuthConfig("")->empty());
  EXPECT_TRUE(ParseAuthConfig(" \n")->empty());
  auto whole = ParseAuthConfig(R"({"auths":{"r":{}},"credsStore":"desktop","credHelpers":{}})");
  EXPECT_TRUE(whole) << whole.error().message();
}

TEST(AuthConfig, MalformedValuesAreErrorsWithoutTheValue) {
  struct Case {
    std::string text;
    std::string says;
  };
  for (const Case& one : std::vector<Case>{
           {Cat("{\"auths\":{\"r\":{\"auth\":\"", kSecret, "\"}}"),
            "not valid JSON at line 1, column 41"},
           {Cat("{} ", kSecret), "not valid JSON at line 1, column 4"},
           {Cat("\"", kSecret, "\""), "the value must be a JSON object"},
           {Cat(R"({"auth":{"r":{"auth":")", kSecret, "\"}}}"),
            "auth is not known; did you mean auths?"},
           {R"({"registry.test":{"auth":"dTpw"}})", "registry.test is not known"},
           {R"({"auths":{"r":{"autz":"dTpw"}}})",
            R"(auths."r".autz is not known; did you mean auth?)"},
           {Cat(R"({"auths":{"r":{"auth":")", kSecret, "?\"}}}"),
            R"(auths."r".auth is not base64)"},
       }) {
    auto auths = ParseAuthConfig(one.text);
    ASSERT_FALSE(auths) << one.text;
    EXPECT_EQ(auths.error().code(), ErrorCode::kInvalid);
    EXPECT_EQ(auths.error().message(), Cat("DOCKER_AUTH_CONFIG: ", one.says));
  }
}

TEST(AuthConfig, PathInsteadOfJsonIsExplained) {
  auto auths = ParseAuthConfig("/builds/x.tmp/DOCKER_AUTH_CONFIG");
  ASSERT_FALSE(auths);
  EXPECT_NE(auths.error().hint().find("not the path of a file"), std::string::npos);
}

}  // namespace
}  // namespace depot::docker::config_file_test
