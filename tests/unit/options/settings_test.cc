#include "plugin/options/settings.h"

#include <set>

#include <gtest/gtest.h>

#include "driver/base/text.h"

namespace depot::options::settings_test {
namespace {

std::vector<std::string> Lines(const Environment& environment) {
  auto lines = CheckSettings(environment);
  if (lines) return *lines;
  ADD_FAILURE() << lines.error().message();
  return {};
}

TEST(Settings, EachStandsInTheListOnceAndWhoIsNotHonouredSaysWhy) {
  std::set<std::string_view> names;
  for (const Setting& setting : KnownSettings()) {
    EXPECT_TRUE(names.insert(setting.name).second) << setting.name << " is there twice";
    const bool speaks = setting.fate == Fate::kRefused || setting.fate == Fate::kSaid;
    EXPECT_EQ(setting.text.empty(), !speaks) << setting.name;
    EXPECT_FALSE(speaks && setting.name.ends_with('*')) << setting.name;
  }
}

TEST(Settings, APolicyWithoutAnEngineIsRefusedAndNeverPassedOver) {
  for (const char* value : {"1", "yes", "policy.rego"}) {
    auto lines = CheckSettings({{"BUILDX_DEFAULT_POLICY", value}});
    ASSERT_FALSE(lines) << value;
    EXPECT_EQ(lines.error().code(), ErrorCode::kUnsupported);
    EXPECT_NE(lines.error().message().find("BUILDX_DEFAULT_POLICY"), std::string::npos);
    EXPECT_FALSE(lines.error().hint().empty());
  }
  EXPECT_TRUE(Lines({{"BUILDX_DEFAULT_POLICY", "false"}}).empty());
}

TEST(Settings, WhatHasNoEffectIsOneLineWhenItAsksForSomething) {
  std::vector<std::string> lines = Lines({{"BUILDX_SEND_GIT_QUERY_AS_INPUT", "1"},
                                          {"BUILDX_CPU_PROFILE", "file"},
                                          {"DEPOT_PUSH_REGISTRY_PASSWORD", "hush"}});
  ASSERT_EQ(lines.size(), 3u);
  for (const std::string& line : lines) {
    EXPECT_NE(line.find(" has no effect: "), std::string::npos) << line;
    EXPECT_EQ(line.find("hush"), std::string::npos) << line;
  }
  EXPECT_TRUE(Lines({{"BUILDX_GIT_LABELS", "full"},
                     {"BUILDX_METADATA_WARNINGS", "1"},
                     {"BUILDX_SEND_GIT_QUERY_AS_INPUT", "false"},
                     {"TRACEPARENT", "x"},
                     {"DEPOT_BUILDER", "tcp://b:1"}})
                  .empty());
}

TEST(Settings, ASwitchThatIsNeitherTrueNorFalseIsSaid) {
  EXPECT_EQ(Lines({{"BUILDX_NO_DEFAULT_LOAD", "yes"}}),
            std::vector<std::string>{
                "BUILDX_NO_DEFAULT_LOAD is neither true nor false, and taken for false"});
}

TEST(Settings, TheProgressVariableReplacesAutoOnly) {
  BuildOptions options;
  EXPECT_TRUE(ApplyProgressVariable({{"BUILDKIT_PROGRESS", "quiet"}}, options));
  EXPECT_EQ(options.progress, ProgressMode::kQuiet);
  EXPECT_FALSE(options.quiet);  // only the flags print the image's ID
  options = BuildOptions();
  options.progress = ProgressMode::kPlain;
  EXPECT_TRUE(ApplyProgressVariable({{"BUILDKIT_PROGRESS", "rawjson"}}, options));
  EXPECT_EQ(options.progress, ProgressMode::kPlain);
  for (auto [word, mode] : {std::pair("plain", ProgressMode::kPlain),
                            {"tty", ProgressMode::kTty},
                            {"none", ProgressMode::kNone},
                            {"gitlab", ProgressMode::kGitlab},
                            {"rawjson", ProgressMode::kRawJson}}) {
    options = BuildOptions();
    EXPECT_TRUE(ApplyProgressVariable({{"BUILDKIT_PROGRESS", word}}, options));
    EXPECT_EQ(options.progress, mode) << word;
  }
  options = BuildOptions();
  auto refused = ApplyProgressVariable({{"BUILDKIT_PROGRESS", "fancy"}}, options);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kUsage);
  EXPECT_NE(refused.error().message().find("fancy"), std::string::npos);
}

}  // namespace
}  // namespace depot::options::settings_test
