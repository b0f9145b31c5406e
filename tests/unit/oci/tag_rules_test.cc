#include "driver/oci/tag_rules.h"

#include <gtest/gtest.h>

namespace depot::tag_rules_test {
namespace {

using Annotations = std::map<std::string, std::string>;

TEST(TagRules, ANumberIsPositiveAndOfAtMost18Digits) {
  EXPECT_EQ(ParsePipelineNumber("1"), 1U);
  EXPECT_EQ(ParsePipelineNumber("999999999999999999"), 999'999'999'999'999'999U);
  for (const char* bad : {"", "0", "-1", "+1", " 1", "1.0", "0x1", "1e3", "1000000000000000000",
                          "18446744073709551616"}) {
    EXPECT_FALSE(ParsePipelineNumber(bad)) << bad;
  }
}

TEST(TagRules, WhatIsWrittenIsRead) {
  Annotations annotations = {{"team", "blue"}};
  AnnotatePipeline({12, "git.example/7", "abc"}, annotations);
  EXPECT_EQ(annotations.at("team"), "blue");
  const auto read = PipelineOf(annotations);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->number, 12U);
  EXPECT_EQ(read->project, "git.example/7");
  EXPECT_EQ(read->revision, "abc");
}

TEST(TagRules, ARevisionOfTheUserStays) {
  Annotations annotations = {{"org.opencontainers.image.revision", "mine"}};
  AnnotatePipeline({12, "", "abc"}, annotations);
  EXPECT_EQ(annotations.at("org.opencontainers.image.revision"), "mine");
  EXPECT_FALSE(annotations.contains("depot.pipeline.project"));
}

TEST(TagRules, StrangersWordsAreNoPipeline) {
  EXPECT_FALSE(PipelineOf({}));
  EXPECT_FALSE(PipelineOf({{"depot.pipeline.iid", "99999999999999999999"}}));
  EXPECT_FALSE(PipelineOf({{"depot.pipeline.iid", "-5"}}));
  const auto read = PipelineOf({{"depot.pipeline.iid", "5"},
                                {"depot.pipeline.project", "a\x1b[31m"},
                                {"org.opencontainers.image.revision", std::string(301, 'a')}});
  ASSERT_TRUE(read);
  EXPECT_EQ(read->project, "");
  EXPECT_EQ(read->revision, "");
}

}  // namespace
}  // namespace depot::tag_rules_test
