#include "plugin/bake/ignored.h"

#include <gtest/gtest.h>

#include "tests/unit/bake/baking.h"

namespace depot::bake::ignored_test {
namespace {

Strings NoticesOf(const Baking& baking) {
  auto definition = LoadDefinition(baking.files, {baking.environment});
  return definition ? definition->notices : Strings{definition.error().message()};
}

TEST(Ignored, IsSaidOnceForEachName) {
  EXPECT_EQ(
      NoticesOf(Hcl("tgas = \"a constant\"\n"
                    "targets \"a\" {}\n"
                    "variable \"V\" {\n  nullable = true\n  validation { condition = true }\n}\n"
                    "function \"f\" {\n  params = []\n  result = 1\n  about = 2\n}\n"
                    "group \"g\" {\n  targets = []\n  tags = []\n}\n"
                    "target \"m\" {\n  name = \"m-${n}\"\n  matrix = { n = [1, 2] }\n  x = 1\n}\n"
                    "target \"b\" {\n  tag = \"b\"\n  args {\n    A = 1\n  }\n}\n"
                    "target \"c\" { tag = \"c\" }\n")),
      (Strings{"the block targets has no effect, did you mean target?",
               "function f: about has no effect", "group g: tags has no effect",
               "target b and 1 more: tag has no effect, did you mean tags?",
               "target b: the block args has no effect, write args = {",
               "target m: x has no effect", "variable V: nullable has no effect"}));
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
