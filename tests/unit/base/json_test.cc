#include "driver/base/json.h"

#include <gtest/gtest.h>

namespace depot::json_test {
namespace {

Json Parsed(std::string_view text) {
  Result<Json> json = Json::Parse(text);
  EXPECT_TRUE(json) << text << ": " << (json ? "" : json.error().message());
  return json ? *json : Json();
}

std::string ParseError(std::string_view text) {
  Result<Json> json = Json::Parse(text);
  EXPECT_FALSE(json) << text;
  return json ? "" : json.error().message();
}

TEST(Json, ReadsNestedValues) {
  Json json = Parsed(R"({"a": {"b": [1, "two", true, null, 1.5]}})");
  EXPECT_EQ(json["a"]["b"].size(), 5U);
  EXPECT_EQ(json["a"]["b"][0].AsInt(), 1);
  EXPECT_EQ(json["a"]["b"][1].AsString(), "two");
  EXPECT_TRUE(json["a"]["b"][2].AsBool());
  EXPECT_EQ(json["a"]["b"][3].type(), Json::Type::kNull);
  EXPECT_EQ(json["a"]["b"][4].type(), Json::Type::kNumber);
}

TEST(Json, WhatIsNotThereIsNullOrTheDefault) {
  Json json = Parsed(R"({"text": "x", "list": [1]})");
  EXPECT_EQ(json["nothing"]["below"][3].type(), Json::Type::kNull);
  EXPECT_EQ(json["list"][1].type(), Json::Type::kNull);
  EXPECT_EQ(json["list"]["key"].type(), Json::Type::kNull);
  EXPECT_EQ(json["text"].AsInt(42), 42);
  EXPECT_EQ(json["list"].AsString("other"), "other");
  EXPECT_TRUE(json["text"].AsBool(true));
  EXPECT_EQ(json["text"].size(), 0U);
  EXPECT_FALSE(json["list"].Has("x"));
  EXPECT_TRUE(json.Has("text"));
}

TEST(Json, FractionsAreNotWholeNumbers) {
  EXPECT_EQ(Parsed("1.5").AsInt(7), 7);
}

TEST(Json, KeepsLargeNumbers) {
  EXPECT_EQ(Parsed("9223372036854775807").AsInt(), INT64_MAX);
  EXPECT_EQ(Parsed("-9223372036854775808").AsInt(), INT64_MIN);
}

TEST(Json, ErrorsNameThePlaceAndNotTheText) {
  std::string error = ParseError("{\n  \"auth\": \"hunter2\" oops\n}");
  EXPECT_NE(error.find("line 2"), std::string::npos) << error;
  EXPECT_EQ(error.find("hunter2"), std::string::npos) << error;
  EXPECT_EQ(error.find("oops"), std::string::npos) << error;
}

TEST(Json, IsStrict) {
  for (std::string_view text : {"", "{", "{} {}", "[1,]", "{\"a\":1,}", "// x\n{}", "{'a':1}",
                                "nul", "\"\xFF\"", "01", "+1", "\"\n\""}) {
    EXPECT_FALSE(Json::Parse(text)) << text;
  }
}

TEST(Json, RefusesHostileNesting) {
  std::string deep(1'000'000, '[');
  EXPECT_EQ(ParseError(deep), "JSON is nested deeper than 200 levels");
  EXPECT_FALSE(Json::Parse(std::string(201, '[') + std::string(201, ']')));
  EXPECT_TRUE(Json::Parse(std::string(200, '[') + std::string(200, ']')));
}

TEST(Json, BracketsInStringsAreNotNesting) {
  EXPECT_TRUE(Json::Parse("\"" + std::string(500, '[') + "\\\"" + std::string(500, '{') + "\""));
}

TEST(Json, HugeNumbersAreAnErrorNotACrash) {
  EXPECT_FALSE(Json::Parse("1e999999"));
}

TEST(Json, BuildsAndPrintsWithSortedKeys) {
  Json json = Json::Object();
  json.Set("z", Json::Number(-1));
  json.Set("a", Json::String("q\"\n"));
  Json list = Json::Array();
  list.Append(Json::Bool(false));
  list.Append(Json());
  json.Set("m", list);
  EXPECT_EQ(json.Dump(), R"({"a":"q\"\n","m":[false,null],"z":-1})");
  EXPECT_EQ(json.Keys(), (std::vector<std::string>{"a", "m", "z"}));
}

TEST(Json, SetAndAppendMakeTheContainer) {
  Json object;
  object.Set("a", Json::Number(1));
  EXPECT_TRUE(object.is_object());
  Json array;
  array.Append(Json::Number(1));
  EXPECT_TRUE(array.is_array());
}

TEST(Json, CopiesAreIndependent) {
  Json first = Json::Object();
  Json second = first;
  second.Set("a", Json::Number(1));
  EXPECT_EQ(first.size(), 0U);
  Json third = std::move(second);
  EXPECT_EQ(third["a"].AsInt(), 1);
}

TEST(Json, InvalidUtf8IsReplacedWhenPrinted) {
  EXPECT_EQ(Json::String("a\xFFz").Dump(), "\"a\xEF\xBF\xBDz\"");
}

}  // namespace
}  // namespace depot::json_test
