#include "plugin/plan/named_contexts.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "driver/base/text.h"

namespace depot::plan::named_contexts_test {
namespace {

namespace fs = std::filesystem;

class NamedContextsTest : public ::testing::Test {
 protected:
  NamedContextsTest() {
    std::string pattern = ::testing::TempDir() + "named-XXXXXX";
    root_ = ::mkdtemp(pattern.data());
  }
  ~NamedContextsTest() override {
    std::error_code ignored;
    fs::remove_all(root_, ignored);
  }
  NamedContextsTest(const NamedContextsTest&) = delete;
  NamedContextsTest& operator=(const NamedContextsTest&) = delete;

  /// An image layout whose index lists these tags, each for its own digest, with the blobs there.
  std::string Layout(const std::vector<std::string>& tags) const {
    const fs::path layout = fs::path(root_) / "layout";
    fs::create_directories(layout / "blobs/sha256");
    std::ofstream(layout / "oci-layout") << R"({"imageLayoutVersion":"1.0.0"})";
    std::string manifests;
    for (std::size_t i = 0; i < tags.size(); ++i) {
      const std::string hex(64, static_cast<char>('a' + i));
      std::ofstream(layout / "blobs/sha256" / hex) << "{}";
      manifests +=
          Cat(i == 0 ? "" : ",",
              R"({"mediaType":"application/vnd.oci.image.manifest.v1+json","size":2,)",
              R"("digest":"sha256:)", hex,
              R"(","annotations":{"org.opencontainers.image.ref.name":")", tags[i], R"("}})");
    }
    std::ofstream(layout / "index.json")
        << Cat(R"({"schemaVersion":2,"manifests":[)", manifests, "]}");
    return layout.string();
  }

  /// The attribute of a context "x" with that value.
  static std::string AttributeOf(const std::string& value) {
    auto named = PlanNamedContexts({{"x", value}});
    return named ? named->attrs.at("context:x") : named.error().message();
  }

  std::string root_;
};

TEST_F(NamedContextsTest, WhatTheBuilderFetchesGoesAsItIs) {
  for (const char* value : {"docker-image://alpine", "https://h/x.tar", "git@h:x#main:sub"})
    EXPECT_EQ(AttributeOf(value), value);
  EXPECT_EQ(AttributeOf("github.com/o/n"), "https://github.com/o/n.git");
  auto named = PlanNamedContexts({{"x", "https://h/x.git?branch=b"}});
  EXPECT_EQ(named->caps, (std::set<std::string>{"moby.buildkit.frontend.contexts+forward",
                                                "moby.buildkit.frontend.gitquerystring+forward"}));
  EXPECT_TRUE(PlanNamedContexts({})->caps.empty());
}

TEST_F(NamedContextsTest, DirectoriesAreServedUnderNamesThatAreFree) {
  auto named = PlanNamedContexts({{"context", root_}, {"lib", root_ + "/"}});
  ASSERT_TRUE(named.has_value());
  EXPECT_EQ(named->attrs.at("context:context"), "local:_context");
  EXPECT_EQ(named->directories.at("_context"), root_);
  EXPECT_EQ(named->directories.at("lib"), root_);
  EXPECT_EQ(named->shared_names.at("lib"), fs::path(root_).filename().string());
}

TEST_F(NamedContextsTest, LayoutsAreFoundByTagAndDigest) {
  const std::string place = Cat("oci-layout://", Layout({"one", "latest"}));
  const std::string one = Cat("sha256:", std::string(64, 'a'));
  const std::string latest = Cat("sha256:", std::string(64, 'b'));
  auto tail = [](const std::string& text) {
    return text.substr(std::min<std::size_t>(39, text.size()));
  };
  EXPECT_EQ(tail(AttributeOf(place)), Cat("latest@", latest));
  EXPECT_EQ(tail(AttributeOf(place + ":one")), Cat("one@", one));
  EXPECT_EQ(tail(AttributeOf(Cat(place, "@", one))), Cat("latest@", one));
  auto named = PlanNamedContexts({{"x", place}});
  ASSERT_EQ(named->stores.size(), 1U);
  const std::string id = named->stores.begin()->first.substr(4);
  EXPECT_EQ(named->attrs.at("context:x"), Cat("oci-layout://", id, ":latest@", latest));
}

TEST_F(NamedContextsTest, LayoutsWithoutTheImageSaySo) {
  const std::string place = Cat("oci-layout://", Layout({"one", "two"}));
  EXPECT_EQ(AttributeOf(place),
            "--build-context x: index.json lists 2 images, and none with the tag latest");
  EXPECT_EQ(AttributeOf(place + "@sha256:12"),
            "--build-context x: \"sha256:12\" is no sha256 digest");
  const std::string zeros(64, '0');
  EXPECT_NE(AttributeOf(Cat(place, "@sha256:", zeros)).find("does not have sha256:0"),
            std::string::npos);
  EXPECT_EQ(AttributeOf("oci-layout://"), "--build-context x: oci-layout:// names no folder");
}

}  // namespace
}  // namespace depot::plan::named_contexts_test
