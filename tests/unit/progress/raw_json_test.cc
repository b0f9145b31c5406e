#include "plugin/progress/raw_json.h"

#include <gtest/gtest.h>

#include "driver/base/json.h"

namespace depot::raw_json_test {
namespace {

using namespace std::chrono_literals;

TEST(RawJson, WritesWhatGoWrites) {
  RawJson raw;
  Vertex vertex;
  vertex.digest = "sha256:aa";
  vertex.inputs = {"sha256:bb"};
  vertex.name = "RUN x";
  vertex.started = Timestamp(1s);
  vertex.completed = Timestamp(2s + 500ms);
  vertex.cached = true;
  vertex.group_id = "g";
  vertex.group_name = "group";
  vertex.group_weak = true;
  raw.Put(vertex);
  raw.Put(VertexStatus{"id", "sha256:aa", "transferring", 5, 0, Timestamp(1s), Timestamp(1s), {}});
  raw.Put(VertexLog{"sha256:aa", Timestamp(1ns), 2, "\xff\n"});
  raw.Put(
      VertexWarning{"sha256:aa", 1, "s", {"d"}, "u", "Dockerfile", "FROM x", {{1, 2, 3, 4}}, "x"});
  EXPECT_EQ(
      raw.Take(),
      R"({"logs":[{"data":"/wo=","stream":2,"timestamp":"1970-01-01T00:00:00.000000001Z","vertex":"sha256:aa"}],)"
      R"("statuses":[{"current":5,"id":"id","name":"transferring","started":"1970-01-01T00:00:01Z",)"
      R"("timestamp":"1970-01-01T00:00:01Z","vertex":"sha256:aa"}],)"
      R"("vertexes":[{"cached":true,"completed":"1970-01-01T00:00:02.5Z","digest":"sha256:aa",)"
      R"("inputs":["sha256:bb"],"name":"RUN x","progressGroup":{"id":"g","name":"group","weak":true},)"
      R"("started":"1970-01-01T00:00:01Z"}],)"
      R"("warnings":[{"detail":["ZA=="],"level":1,"range":[{"end":{"character":4,"line":2},"start":{"character":3,"line":1}}],)"
      R"("short":"cw==","sourceInfo":{"data":"RlJPTSB4","filename":"Dockerfile","language":"x"},"url":"u",)"
      R"("vertex":"sha256:aa"}]})"
      "\n");
  EXPECT_EQ(raw.Take(), "");
}

TEST(RawJson, ANoticeIsAVertexAndCredentialsAreHidden) {
  RawJson raw;
  raw.Put(Notice{"using https://u:geheim@h"});
  Json line = *Json::Parse(raw.Take());
  Json vertex = line["vertexes"][0];
  EXPECT_EQ(vertex["name"].AsString(), "using https://xxxxx:xxxxx@h");
  EXPECT_EQ(vertex["started"].AsString(), vertex["completed"].AsString());
  EXPECT_FALSE(vertex["digest"].AsString().empty());
}

TEST(RawJson, OutputThatNobodyTakesIsBounded) {
  RawJson raw;
  const std::string piece(1 << 20, 'x');
  for (int i = 0; i < 100; ++i)
    raw.Put(VertexLog{"v", Timestamp(1s), 1, piece});
  raw.Close();
  raw.Put(Notice{"too late"});
  EXPECT_TRUE(raw.Wait());
  Json line = *Json::Parse(raw.Take());
  EXPECT_LT(line["logs"].size(), 40U);
  EXPECT_EQ(line["vertexes"].size(), 0U);
  EXPECT_FALSE(raw.Wait());
}

TEST(RawJson, WhatIsNoOutputIsBoundedAndCounted) {
  RawJson raw(32 << 10);
  VertexWarning warning;
  warning.source = std::string(1 << 10, 'x');
  for (int i = 0; i < 70; ++i)
    raw.Put(warning);
  const Json line = *Json::Parse(raw.Take());
  EXPECT_EQ(line["warnings"].size(), 52u);
  EXPECT_EQ(line["vertexes"].size(), 1u);
  EXPECT_EQ(line["vertexes"][0]["name"].AsString(), "18 events of the builder left out");
  raw.Put(warning);
  EXPECT_EQ((*Json::Parse(raw.Take()))["vertexes"].size(), 0u);
}

}  // namespace
}  // namespace depot::raw_json_test
