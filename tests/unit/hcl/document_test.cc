#include "plugin/hcl/document.h"

#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tests/unit/hcl/evaluated.h"

namespace depot::hcl::document_test {
namespace {

std::string ParseError(const std::string& text, Syntax syntax = Syntax::kNative) {
  auto body = Parse("f.hcl", text, syntax);
  if (!body) return body.error().message();
  auto content = body->Read({{"target", 1}, {"variable", 1}});
  return content ? "" : content.error().message();
}

/// Labels of the targets, each with the names of its attributes.
std::string Summary(const Content& content) {
  std::string out;
  for (const auto& attribute : content.attributes)
    out += attribute.name + "; ";
  for (const auto& block : content.blocks) {
    out += block.type + " " + block.labels.front() + "(";
    auto inner = block.body.Read({});
    for (const auto& attribute : inner->attributes)
      out += " " + attribute.name;
    out += " ) ";
  }
  return out;
}

TEST(Document, HasBlocksAndAttributesInTheirOrder) {
  auto body = Parse(
      "f.hcl",
      "g = 1\n# c\ntarget \"a\" {\r\n  x = 1\n  other { y = 2 }\n}\ntarget b { tags = [\"t\"] }\n"
      "unknown \"u\" \"v\" {}\ntarget \"c\" {}",
      Syntax::kNative);
  ASSERT_TRUE(body) << body.error().message();
  auto content = body->Read({{"target", 1}});
  ASSERT_TRUE(content);
  EXPECT_EQ(Summary(*content), "g; target a( x ) target b( tags ) target c( ) ");
}

TEST(Document, JsonIsTheSameModel) {
  auto body = Parse(
      "f.json",
      R"({"//": "c", "g": 1, "target": [{"a": {"x": 1}}, {"b": [{"tags": []}, {"y": 2}]}], "other": {"z": {}}})",
      Syntax::kJson);
  ASSERT_TRUE(body) << body.error().message();
  auto content = body->Read({{"target", 1}});
  ASSERT_TRUE(content);
  EXPECT_EQ(Summary(*content), "g; other; target a( x ) target b( tags ) target b( y ) ");
}

TEST(Document, JsonStringsAreTemplates) {
  auto body = Parse(
      "f.json",
      R"({"a": "x${1 + 1}", "b": {"${"k"}": "${upper(\"y\")}"}, "c": [1.50, true, null, "${[1]}"]})",
      Syntax::kJson);
  ASSERT_FALSE(body);  // the quotes of a template are escaped in JSON
  body = Parse(
      "f.json",
      R"({"a": "x${1 + 1}", "b": {"${\"k\"}": "${upper(\"y\")}"}, "c": [1.50, true, null, "${[1]}"]})",
      Syntax::kJson);
  ASSERT_TRUE(body) << body.error().message();
  auto content = body->Read({});
  Scope scope;
  std::string all;
  for (const auto& attribute : content->attributes)
    all += Shown(Evaluate(attribute.value, scope)) + " ";
  EXPECT_EQ(all, R"("x2" {"k":"Y"} [1.5,true,null,[1]] )");
}

TEST(Document, ABadTemplateInJsonMattersWhenItIsUsed) {
  auto body = Parse("f.json", "{\n \"a\": \"${\",\n \"b\": \"x ${NOSUCH}\"}", Syntax::kJson);
  ASSERT_TRUE(body);
  auto content = body->Read({});
  ASSERT_TRUE(content);
  Scope scope;
  EXPECT_EQ(Evaluate(content->attributes[0].value, scope).error().message(),
            "f.json:2,10-11: an expression expected; found the end of the text");
  EXPECT_EQ(Evaluate(content->attributes[1].value, scope).error().message(),
            "f.json:3,12-18: unknown variable `NOSUCH`");
}

TEST(Document, ErrorsHaveTheirPlace) {
  const std::vector<std::pair<std::string, std::string>> table = {
      {"target \"d\" {\n  tags = [\"a\"\n}\n", "f.hcl:3,1-2: `,` or `]` expected; found `}`"},
      {"target \"d\" {\n  tags = [\"a]\n}\n",
       "f.hcl:2,11-14: text without end; a closing `\"` is missing on this line"},
      {"x = 1\nx = 2\n", "f.hcl:2,1-2: `x` is set twice; keep one of them"},
      {"target {\n}\n", "f.hcl:1,1-7: `target` needs a name; write target \"NAME\" {"},
      {"target \"a\" \"b\" {\n}\n", "f.hcl:1,12-13: `target` has a name too many; it takes one"},
      {"\"x\" = 1\n",
       "f.hcl:1,1-2: a name is expected here; names of attributes and types of blocks stand "
       "without quotes"},
      {"target \"d\" { a = 1 b = 2 }\n",
       "f.hcl:1,20-21: `}` expected; a block on one line holds one attribute; write each on its "
       "own line"},
      {"args = {\n  X = true ?\n \"a\" : \"b\"\n}\n",
       "f.hcl:2,13-14: an expression expected; found the end of the line"},
      {"x = \"\u00e9\u00e9\" y\n", "f.hcl:1,10-11: a new line expected; found `y`"},
      {"target \"${x}\" {}\n",
       "f.hcl:1,8-14: a plain text is needed here; names of blocks cannot be computed"},
      {"x = \xff\n", "f.hcl:1,5-6: no UTF-8; save the file in this encoding"},
  };
  for (const auto& [text, message] : table)
    EXPECT_EQ(ParseError(text), message) << text;
  EXPECT_EQ(ParseError("{\"a\": [1,]}", Syntax::kJson),
            "f.hcl:1,10-11: invalid JSON; a value is expected here");
  EXPECT_EQ(ParseError("{\"target\": 1}", Syntax::kJson),
            "f.hcl:1,12-13: an object is expected here; `target` blocks are objects");
}

TEST(Document, AnExcerptShowsTheLine) {
  auto body = Parse("f.hcl", "a = 1\nb = 2\nc = 3 4\nd = 4\n", Syntax::kNative);
  ASSERT_FALSE(body);
  EXPECT_EQ(body.error().excerpt(),
            "f.hcl:3\n--------------------\n   1 |     a = 1\n   2 |     b = 2\n   3 | >>> c = 3 "
            "4\n   4 |     d = 4\n"
            "--------------------\n");
}

TEST(Document, OfSeveralFilesTheLaterAttributeCounts) {
  std::vector<Body> files = {
      *Parse("1", "a = 1\nb = 2\ntarget \"t\" {}\n", Syntax::kNative),
      *Parse("2", "{\"a\": 3, \"target\": {\"t\": {\"x\": 1}}}", Syntax::kJson)};
  auto content = ReadAll(files, {{"target", 1}});
  ASSERT_TRUE(content);
  EXPECT_EQ(Summary(*content), "a; b; target t( ) target t( x ) ");
  Scope scope;
  EXPECT_EQ(Shown(Evaluate(content->Find("a")->value, scope)), "3");
  EXPECT_EQ(content->Find("c"), nullptr);
}

TEST(Document, IsBounded) {
  std::string blocks;
  for (int depth = 0; depth < 10'000; ++depth)
    blocks += "b {\n";
  EXPECT_NE(ParseError(blocks).find("nested too deep"), std::string::npos);
  EXPECT_NE(ParseError(std::string(100'000, '['), Syntax::kJson).find("nested too deep"),
            std::string::npos);
}

}  // namespace
}  // namespace depot::hcl::document_test
