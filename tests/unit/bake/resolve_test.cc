#include "plugin/bake/resolve.h"

#include <gtest/gtest.h>

#include "tests/unit/bake/baking.h"

namespace depot::bake::resolve_test {
namespace {

struct ResolveCase {
  const char* about;
  const char* definition;
  Strings wanted;
  Strings settings;
  const char* target;  ///< the last target by name, or a part of the error's message
};

class Resolving : public testing::TestWithParam<ResolveCase> {};

TEST_P(Resolving, GivesTheTarget) {
  const ResolveCase& one = GetParam();
  Baking baking = Hcl(one.definition);
  baking.wanted = one.wanted;
  baking.settings = one.settings;
  const std::string baked = BakedTarget(baking);
  if (one.target[0] == '{') {
    EXPECT_EQ(baked, one.target) << one.about;
  } else {
    EXPECT_NE(baked.find(one.target), std::string::npos) << one.about << ": " << baked;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Table,
    Resolving,
    testing::Values(
        ResolveCase{"a child's maps win key by key",
                    "target \"p\" { args = { A = 1, B = 1 } }\n"
                    "target \"z\" {\n inherits = [\"p\"]\n args = { B = 2 }\n}",
                    {"z"},
                    {},
                    R"({"args":{"A":"1","B":"2"}})"},
        ResolveCase{"a child's empty list takes a parent's away",
                    "target \"p\" { tags = [\"t\"] }\n"
                    "target \"z\" {\n inherits = [\"p\"]\n tags = []\n}",
                    {"z"},
                    {},
                    "{}"},
        ResolveCase{"a parent's override reaches the child",
                    "target \"p\" {}\ntarget \"z\" { inherits = [\"p\"] }",
                    {"z"},
                    {"p.args.X=1", "z.tags=t"},
                    R"({"args":{"X":"1"},"tags":["t"]})"},
        ResolveCase{"network and stages can be set",
                    "target \"z\" { no-cache-filter = [\"a\"] }",
                    {"z"},
                    {"z.network=none", "z.no-cache-filter=b"},
                    R"({"network":"none","no-cache-filter":["b"]})"},
        ResolveCase{"push comes after output, whatever was said first",
                    "target \"z\" {}",
                    {"z"},
                    {"z.push=true", "z.output=type=image"},
                    R"({"output":[{"push":"true","type":"image"}]})"},
        ResolveCase{"parents in a circle", "target \"z\" { inherits = [\"z\"] }", {"z"}, {}, "{}"},
        ResolveCase{
            "a target that is not there", "target \"web\" {}", {"wbe"}, {}, "did you mean web?"},
        ResolveCase{"a link to itself",
                    "target \"z\" { contexts = { a = \"target:z\" } }",
                    {"z"},
                    {},
                    "cannot link to itself"},
        ResolveCase{"links in a circle",
                    "target \"y\" { contexts = { a = \"target:z\" } }\n"
                    "target \"z\" { contexts = { a = \"target:y\" } }",
                    {"z"},
                    {},
                    "in a circle"},
        ResolveCase{"a matrix that is too large",
                    "target \"z\" {\n name = \"z-${a}-${b}\"\n"
                    " matrix = { a = range(0, 1000), b = range(0, 1000) }\n}",
                    {"z"},
                    {},
                    "1000000 combinations"},
        ResolveCase{"a reference in a circle",
                    "target \"z\" { args = { A = target.z.args.A } }",
                    {"z"},
                    {},
                    "cycle"},
        ResolveCase{"a set without a key", "target \"z\" {}", {"z"}, {"z=1"}, "TARGET.KEY=VALUE"},
        ResolveCase{
            "an unknown key", "target \"z\" {}", {"z"}, {"z.tag=1"}, "did you mean tags?"}));

TEST(Resolve, NestedGroupsOfEachOtherAreFollowedOnce) {
  std::string text = "target \"t\" {}\ngroup \"g0\" { targets = [\"t\"] }\n";
  for (int i = 1; i < 100; ++i) {
    const std::string inner = "\"g" + std::to_string(i - 1) + "\"";
    text += "group \"g" + std::to_string(i) + "\" { targets = [" + inner + ", " + inner + "] }\n";
  }
  Baking baking = Hcl(text);
  baking.wanted = {"g99"};
  EXPECT_EQ(BakedTarget(baking), "{}");
}

TEST(Resolve, DeepNestingIsRefused) {
  std::string text = "target \"t0\" {}\n";
  for (int i = 1; i < 2000; ++i) {
    text += "target \"t" + std::to_string(i) + "\" { inherits = [\"t" + std::to_string(i - 1) +
            "\"] }\n";
  }
  Baking baking = Hcl(text);
  baking.wanted = {"t1999"};
  EXPECT_NE(BakedTarget(baking).find("more than 500 levels"), std::string::npos);
}

TEST(Resolve, ALinkedTargetStaysInTheCache) {
  Baking baking =
      Hcl("target \"base\" { output = [\"type=docker\"] }\n"
          "target \"app\" { contexts = { b = \"target:base\" } }\n");
  baking.wanted = {"app"};
  auto resolution = ResolveBaking(baking);
  ASSERT_TRUE(resolution) << resolution.error().message();
  EXPECT_EQ(resolution->linked, std::set<std::string>{"base"});
  EXPECT_EQ(*resolution->targets["base"].output, Entries({{{"type", "cacheonly"}}}));
}

/// The context of the only target of a definition from `url`.
std::string ContextFrom(const std::string& url, const std::string& context) {
  Baking baking = Hcl("target \"default\" { context = \"" + context + "\" }");
  baking.url = url;
  auto resolution = ResolveBaking(baking);
  return resolution ? *resolution->targets.at("default").context : resolution.error().message();
}

TEST(Resolve, ContextsAreWhereTheDefinitionIs) {
  const std::string url = "https://git.example/app.git";
  EXPECT_EQ(ContextFrom(url, "."), url);
  EXPECT_EQ(ContextFrom(url, "./sub/../a"), url + "#:a");
  EXPECT_EQ(ContextFrom(url + "#main", "a"), url + "#main:a");
  EXPECT_EQ(ContextFrom(url + "#main:b", "a"), url + "#main:b/a");
  EXPECT_EQ(ContextFrom(url, "cwd://a"), "a");
  EXPECT_EQ(ContextFrom(url, "https://git.example/b.git"), "https://git.example/b.git");
  EXPECT_NE(ContextFrom(url, "../a").find("there is no folder ../a"), std::string::npos);
  EXPECT_NE(ContextFrom("https://git.example/a.tar.gz", "a").find("no folder"), std::string::npos);
}

}  // namespace
}  // namespace depot::bake::resolve_test
