#include "plugin/command/history_filter.h"

#include <gtest/gtest.h>

#include "plugin/command/history_records.h"

namespace depot::command::history_filter_test {
namespace {

constexpr std::time_t kNow = 1'700'000'000;

solve::HistoryRecord Record() {
  solve::HistoryRecord record;
  record.ref = "abc123";
  record.attributes = {{"vcs:source", "https://host/app.git"}};
  record.created = {kNow - 100, 0};
  record.completed = {kNow - 90, 500'000'000};
  return record;
}

bool Fits(const std::string& filter, const solve::HistoryRecord& record) {
  const auto matches = ParseHistoryFilters({filter}, kNow);
  if (!matches) ADD_FAILURE() << matches.error().message();
  return matches && matches->front()(record);
}

TEST(HistoryFilter, TextsAndTimes) {
  const solve::HistoryRecord record = Record();
  for (const char* fits :
       {"ref=abc", "ref!=abc", "status=completed", "status!=error", "repository=host/app",
        "startedAt>2m", "startedAt<=10s", "completedAt>=2023-11-14T22:11:50Z",
        "completedAt<2023-11-14T23:11:51.5+01:00", "duration>10s", "duration<=10500ms"}) {
    EXPECT_TRUE(Fits(fits, record)) << fits;
  }
  for (const char* fits_not : {"ref=abd", "ref!=abc123", "status=complete", "repository=other",
                               "startedAt<2m", "duration>11s", "duration<10s"}) {
    EXPECT_FALSE(Fits(fits_not, record)) << fits_not;
  }
}

TEST(HistoryFilter, StatesOfARecord) {
  solve::HistoryRecord record = Record();
  record.error_code = 2;
  record.error = "process failed: context canceled";
  EXPECT_TRUE(Fits("status=canceled", record));
  record.error = "process failed";
  EXPECT_TRUE(Fits("status=error", record));
  EXPECT_EQ(StatusWord(record), "Error");
  record.completed = {};
  EXPECT_TRUE(Fits("status=running", record));
  EXPECT_FALSE(Fits("duration>0s", record));
}

TEST(HistoryFilter, WhatMakesNoSenseIsNamed) {
  for (const auto& [filter, says] : {std::pair{"foo=bar", "unsupported filter \"foo=bar\""},
                                     {"foo", "invalid filter \"foo\""},
                                     {"status<error", "expected = or !="},
                                     {"duration=1s", "expected <=, <, >= or >"},
                                     {"duration>long", "invalid duration long"},
                                     {"startedAt>x", "invalid time x"},
                                     {"ref!abc", "invalid filter"}}) {
    const auto matches = ParseHistoryFilters({filter}, kNow);
    ASSERT_FALSE(matches) << filter;
    EXPECT_EQ(matches.error().code(), ErrorCode::kUsage);
    EXPECT_NE(matches.error().message().find(says), std::string::npos) << filter;
  }
}

TEST(HistoryRecords, NamesAreThoseOfBuildx) {
  KeptRecord kept;
  kept.local = {"/srv/app", "/srv/app/Dockerfile"};
  EXPECT_EQ(NameOfBuild(kept), "app");
  kept.local.dockerfile = "/srv/app/other";
  EXPECT_EQ(NameOfBuild(kept), "app/other");
  kept.local.dockerfile = "/srv/app/sub/Dockerfile";
  EXPECT_EQ(NameOfBuild(kept), "app/sub");
  kept.local.dockerfile = "/elsewhere/ci/release";
  EXPECT_EQ(NameOfBuild(kept), "ci/release");
  kept.local = {};
  EXPECT_EQ(NameOfBuild(kept), "");
  kept.record.attributes = {{"target", "test"}};
  EXPECT_EQ(NameOfBuild(kept), "test");
  kept.record.attributes["context"] = "https://host/app.git";
  EXPECT_EQ(NameOfBuild(kept), "https://host/app.git (test)");
  kept.record.attributes["build-arg:BUILDKIT_BUILD_NAME"] = "own";
  EXPECT_EQ(NameOfBuild(kept), "own");
}

TEST(HistoryRecords, TimesAndSpans) {
  EXPECT_EQ(TimeText({kNow, 120'000'000}, false), "2023-11-14T22:13:20.12Z");
  EXPECT_EQ(TimeText({kNow, 0}, false), "2023-11-14T22:13:20Z");
  EXPECT_EQ(SpanText(1'250'000'000), "1.2s");
  EXPECT_EQ(SpanText(65'000'000'000), "1m  5s");
}

}  // namespace
}  // namespace depot::command::history_filter_test
