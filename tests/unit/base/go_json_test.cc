#include "driver/base/go_json.h"

#include <gtest/gtest.h>

namespace depot::go_json_test {
namespace {

std::string GoString(std::string_view text) {
  std::string out;
  AppendGoString(text, out);
  return out;
}

TEST(GoJson, StringsHaveTheEscapesOfGo) {
  EXPECT_EQ(GoString(""), "\"\"");
  EXPECT_EQ(GoString("plain ${text}~"), "\"plain ${text}~\"");
  EXPECT_EQ(GoString("\"\\/\b\f\n\r\t\x01"), R"("\"\\/\b\f\n\r\t\u0001")");
  EXPECT_EQ(GoString("<a>&\u2028\u2029\u00e9"), "\"\\u003ca\\u003e\\u0026\\u2028\\u2029\u00e9\"");
  EXPECT_EQ(GoString("a\xFFz"), "\"a\uFFFDz\"");
}

TEST(GoJson, ADocumentIsWrittenAsItIsTold) {
  GoJsonText out(2);
  out.Open('{');
  out.Key("z");
  out.Open('[');
  out.Text("one");
  out.Bool(true);
  out.Open('{');
  out.Close('}');
  out.Close(']');
  out.Key("a");
  out.Literal("1");
  out.Close('}');
  EXPECT_EQ(out.Take(), "{\n  \"z\": [\n    \"one\",\n    true,\n    {}\n  ],\n  \"a\": 1\n}");
}

TEST(GoJson, MembersHaveTheOrderOfTheTypeOrOfTheirBytes) {
  const Json json = *Json::Parse(R"({"a": {"x": 1, "b": 2}, "b": [], "m": {"x": "1", "b": "2"}})");
  EXPECT_EQ(FormatGoJson(json, -1, {{"x", "b"}, {"m"}}),
            R"({"b":[],"a":{"x":1,"b":2},"m":{"b":"2","x":"1"}})");
}

}  // namespace
}  // namespace depot::go_json_test
