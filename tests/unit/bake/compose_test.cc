#include "plugin/bake/compose.h"

#include <gtest/gtest.h>

#include "driver/base/text.h"
#include "tests/unit/bake/baking.h"
#include "tests/unit/files/temporary_tree.h"

namespace depot::bake::compose_test {
namespace {

TEST(Compose, ServicesWithABuildAreTargetsOfGroupDefault) {
  EXPECT_EQ(Baked(Compose("services:\n"
                          "  web: {image: acme/web, build: ./web}\n"
                          "  db: {image: postgres}\n"
                          "  job.one: {build: {dockerfile: D}}\n")),
            R"({"group":{"default":{"targets":["job_one","web"]}},"target":{)"
            R"("job_one":{"context":".","dockerfile":"D"},)"
            R"("web":{"context":"web","dockerfile":"Dockerfile","tags":["acme/web"]}}})");
}

TEST(Compose, AnchorsAndMergeKeysAreCopies) {
  EXPECT_EQ(BakedTarget(Compose("x-a: &a {A: '1', B: '1'}\n"
                                "services:\n"
                                "  s: {build: {args: {<<: *a, B: 2}}}\n")),
            R"({"args":{"A":"1","B":"2"}})");
}

TEST(Compose, ALaughIsRefused) {
  std::string text = "x-0: &a0 [l, l, l, l, l, l, l, l, l, l]\n";
  for (int i = 1; i < 10; ++i) {
    std::string ten;
    for (int j = 0; j < 10; ++j)
      ten += (j == 0 ? "*a" : ", *a") + std::to_string(i - 1);
    text += "x-" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + ten + "]\n";
  }
  EXPECT_NE(Baked(Compose(text + "services: {s: {build: .}}\n")).find("too large"),
            std::string::npos);
}

TEST(Compose, ScalarsAreThoseOfYaml) {
  EXPECT_EQ(BakedTarget(Compose("services:\n"
                                "  s:\n"
                                "    build:\n"
                                "      args: {a: 1.50, b: 0123, c: 1_000, d: 0x1F, e: 1e3, f: yes, "
                                "g: '1.50', h: True, i: 1.2.3}\n")),
            R"({"args":{"a":"1.5","b":"83","c":"1000","d":"31","e":"1000","f":"yes","g":"1.50",)"
            R"("h":"true","i":"1.2.3"}})");
}

TEST(Compose, VariablesComeFromTheEnvironment) {
  Baking baking = Compose("services:\n  s: {build: {args: {A: '${V:-d}', B:, C:}}}\n");
  baking.environment = {{"V", "v"}, {"B", "b"}};
  EXPECT_EQ(BakedTarget(baking), R"({"args":{"A":"v","B":"b"}})");
}

TEST(Compose, ExtendsAndOverrides) {
  Baking baking;
  baking.files = {
      {"a.yml",
       "services:\n"
       "  base: {build: {args: {A: a, B: a}, tags: [t], cache_from: [x]}}\n"
       "  z: {extends: base, build: {args: {B: b}}}\n"},
      {"b.yml", "services:\n  z: {build: {args: !reset null, cache_from: !override [y]}}\n"}};
  baking.wanted = {"z"};
  EXPECT_EQ(BakedTarget(baking),
            R"({"args":{"A":"a","B":"a"},"cache-from":[{"ref":"y","type":"registry"}],)"
            R"("tags":["t"]})");
}

TEST(Compose, SaysWhatIsWrongAndWhere) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"services: {a: {build: {tags: 5}}}", "tags must be a list"},
      {"services: {a: {build: {tgs: [x]}}}", "did you mean tags?"},
      {"services: {a: [", "yaml"},
      {"services: {'a b': {build: .}}", "a b"},
      {"services: {a: {}}", "neither an image nor a build"},
      {"services: {a: {build: {secrets: [s]}}}", "\"s\" is not defined"},
      {"services: {a: {extends: b}, b: {extends: a}}", "in a circle"},
      {"services: {a: {build: {args: {A: '${N:?need it}'}}}}", "need it"},
      {"nothing: 1", "has no \"nothing\""},
  };
  for (const auto& [text, said] : cases)
    EXPECT_NE(Baked(Compose(text)).find(said), std::string::npos) << text << Baked(Compose(text));
}

TEST(Compose, XBakeAddsToWhatComposeSays) {
  EXPECT_EQ(BakedTarget(Compose("services:\n"
                                "  s:\n"
                                "    build:\n"
                                "      tags: [a]\n"
                                "      x-bake: {tags: [a, b], platforms: linux/amd64 linux/arm64, "
                                "output: type=docker, pull: true}\n")),
            R"({"output":[{"type":"docker"}],"platforms":["linux/amd64","linux/arm64"],)"
            R"("pull":true,"tags":["a","b"]})");
}

TEST(Compose, WhatChangesNothingIsSaid) {
  const Baking baking = Compose(
      "services: {s: {build: {context: ., privileged: true, x-bake: {tags: a, call: check}}}, "
      "t: {build: .}}");
  const auto resolution = ResolveBaking(baking);
  ASSERT_TRUE(resolution) << resolution.error().message();
  EXPECT_EQ(resolution->notices, (Strings{"service s: build.privileged has no effect in a bake",
                                          "service s: build.x-bake.call has no effect in a bake"}));
}

TEST(Compose, WhatMayBeReadElsewhereIsAskedOnlyForWhatLiesThere) {
  const files::TemporaryTree tree;
  tree.File("more.yaml", "services: {}\n");
  int asked = 0;
  const auto load = [&](const Baking& baking) {
    return LoadDefinition(baking.files, {.variables = {}, .readable = [&] {
                                           ++asked;
                                           return Strings{tree.root()};
                                         }});
  };
  EXPECT_TRUE(load(Hcl("target \"a\" {}")));
  EXPECT_TRUE(load(Compose("services: {s: {build: .}}")));
  EXPECT_EQ(asked, 0);
  const std::string more = Cat("include: [", tree.At("more.yaml"), "]\nservices: {s: {build: .}}");
  EXPECT_TRUE(load(Compose(more)));
  EXPECT_GT(asked, 0);
}

}  // namespace
}  // namespace depot::bake::compose_test
