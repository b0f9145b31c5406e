#include "plugin/bake/ignored.h"

#include <gtest/gtest.h>

#include "tests/unit/bake/baking.h"

namespace depot::bake::ignored_test {
namespace {

/// `wanted`: empty = all.
Strings NoticesOf(Baking baking, const Strings& wanted = {}) {
  baking.wanted = wanted.empty() ? Strings{"*"} : wanted;
  auto resolution = ResolveBaking(baking);
  return resolution ? resolution->notices : Strings{resolution.error().message()};
}

TEST(Ignored, IsSaidOnceForEachName) {
  EXPECT_EQ(
      NoticesOf(Hcl("tgas = \"a constant\"\n"
                    "targets \"a\" {}\n"
                    "variable \"V\" {\n  nullable = true\n  validation {\n condition = true\n "
                    "eror_message = \"x\"\n a {}\n}\n}\n"
                    "function \"f\" {\n  params = []\n  result = 1\n  about = 2\n}\n"
                    "group \"g\" {\n  targets = []\n  tags = []\n}\n"
                    "target \"m\" {\n  name = \"m-${n}\"\n  matrix = { n = [1, 2] }\n  x = 1\n}\n"
                    "target \"b\" {\n  tag = \"b\"\n  args {\n    A = 1\n  }\n}\n"
                    "target \"c\" { tag = \"c\" }\n")),
      (Strings{"the block targets has no effect, did you mean target?",
               "function f: about has no effect", "group g: tags has no effect",
               "target b and 1 more: tag has no effect, did you mean tags?",
               "target b: the block args has no effect, write args = {",
               "target m: x has no effect",
               "validation of variable V: eror_message has no effect, did you mean error_message?",
               "validation of variable V: the block a has no effect",
               "variable V: nullable has no effect"}));
}

TEST(Ignored, IsSaidOnlyOfWhatIsBuilt) {
  const Baking baking =
      Hcl("target \"base\" { tag = \"x\" }\n"
          "target \"child\" { inherits = [\"base\"] }\n"
          "target \"user\" { contexts = { c = \"target:linked\" } }\n"
          "target \"linked\" { labls = {} }\n"
          "target \"other\" {\n  tag = \"x\"\n  plaforms = []\n}\n"
          "target \"m\" {\n  name = \"m-${n}\"\n  matrix = { n = [1, 2] }\n  x = 1\n}\n"
          "group \"g\" {\n  targets = [\"child\"]\n  y = 1\n}\n"
          "group \"h\" {\n  targets = [\"child\"]\n  z = 1\n}\n"
          "variable \"V\" { nullable = true }\n");
  const std::string always = "variable V: nullable has no effect";
  const std::string base = "target base: tag has no effect, did you mean tags?";
  EXPECT_EQ(NoticesOf(baking, {"base"}), (Strings{base, always}));
  EXPECT_EQ(NoticesOf(baking, {"g"}), (Strings{"group g: y has no effect", base, always}));
  EXPECT_EQ(NoticesOf(baking, {"user"}),
            (Strings{"target linked: labls has no effect, did you mean labels?", always}));
  EXPECT_EQ(NoticesOf(baking, {"other", "child"}),
            (Strings{"target other: plaforms has no effect, did you mean platforms?",
                     "target base and 1 more: tag has no effect, did you mean tags?", always}));
  EXPECT_EQ(NoticesOf(baking, {"m-2"}), (Strings{"target m: x has no effect", always}));
}

TEST(Ignored, OfServicesToo) {
  const Baking baking =
      Compose("services: {s.1: {build: {context: ., privileged: true}}, t: {build: .}}");
  EXPECT_EQ(NoticesOf(baking, {"s_1"}),
            Strings{"service s.1: build.privileged has no effect in a bake"});
  EXPECT_TRUE(NoticesOf(baking, {"t"}).empty());
}

TEST(Ignored, IsSaidOfJsonToo) {
  EXPECT_EQ(NoticesOf({{{"a.json", R"({"target": {"a": {"tag": ["x"], "//": "a remark"}}})"}}}),
            Strings{"target a: tag has no effect, did you mean tags?"});
}

TEST(Ignored, WhatMeansSomethingIsNot) {
  EXPECT_TRUE(NoticesOf(Hcl("target \"a\" {\n  project_id = \"p\"\n  dockerfile-inline = \"\"\n}\n"
                            "group \"g\" {\n  description = \"d\"\n  targets = [\"a\"]\n}\n"
                            "variable \"V\" {\n  type = string\n  default = \"\"\n}\n"))
                  .empty());
}

}  // namespace
}  // namespace depot::bake::ignored_test
