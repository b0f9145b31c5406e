#include "driver/base/yaml.h"

#include <gtest/gtest.h>

namespace depot::yaml_test {
namespace {

TEST(Yaml, ReadsMapsListsAndTextsWithTheirLines) {
  Result<Yaml> document = ParseYaml("a: 1\nlist:\n  - x\n  - {b: \"null\", c: ~}\n");
  ASSERT_TRUE(document);
  ASSERT_EQ(document->kind, Yaml::Kind::kMap);
  EXPECT_EQ(document->Find("a")->text, "1");
  const Yaml* list = document->Find("list");
  ASSERT_EQ(list->items.size(), 2U);
  EXPECT_EQ(list->items[1].line, 4);
  EXPECT_EQ(list->items[1].Find("b")->kind, Yaml::Kind::kText);
  EXPECT_EQ(list->items[1].Find("c")->kind, Yaml::Kind::kNull);
  EXPECT_EQ(document->Find("missing"), nullptr);
}

TEST(Yaml, ReadsJson) {
  Result<Yaml> document = ParseYaml("{\"id\": \"abc\"}");
  ASSERT_TRUE(document);
  EXPECT_EQ(document->Find("id")->text, "abc");
}

TEST(Yaml, NothingIsNull) {
  Result<Yaml> document = ParseYaml("# only a comment\n");
  ASSERT_TRUE(document);
  EXPECT_EQ(document->kind, Yaml::Kind::kNull);
}

TEST(Yaml, SaysTheLineOfWhatIsWrong) {
  for (const char* text :
       {"a: 1\nb: [1, 2\n", "a: 1\na: 2\n", "a: &x 1\nb: *x\n", "a: 1\n\tb: 2\n"}) {
    Result<Yaml> document = ParseYaml(text);
    ASSERT_FALSE(document) << text;
    EXPECT_NE(document.error().message().find("line "), std::string::npos)
        << document.error().message();
  }
}

TEST(Yaml, RefusesEndlessNesting) {
  Result<Yaml> document = ParseYaml(std::string(200, '[') + std::string(200, ']'));
  ASSERT_FALSE(document);
}

}  // namespace
}  // namespace depot::yaml_test
