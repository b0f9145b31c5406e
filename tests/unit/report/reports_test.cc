#include "plugin/report/reports.h"

#include <gtest/gtest.h>

#include "driver/base/json.h"
#include "driver/base/text.h"
#include "plugin/report/dotenv.h"
#include "plugin/report/timeline_page.h"

namespace depot::report::reports_test {
namespace {

using namespace std::chrono_literals;

TEST(Dotenv, SaysWhatWasMade) {
  EXPECT_EQ(DotenvText({{"image.name", "host:5000/a/b:tag,other:tag"},
                        {"containerimage.digest", "sha256:12"}},
                       "builder/node/ref"),
            "DEPOT_IMAGE=host:5000/a/b:tag\n"
            "DEPOT_IMAGE_NAMES=host:5000/a/b:tag,other:tag\n"
            "DEPOT_IMAGE_DIGEST=sha256:12\n"
            "DEPOT_IMAGE_REFERENCE=host:5000/a/b@sha256:12\n"
            "DEPOT_IMAGE_BUILD=builder/node/ref\n");
  EXPECT_EQ(DotenvText({{"image.name", "host:5000/a"}, {"containerimage.digest", "sha256:1"}}, ""),
            "DEPOT_IMAGE=host:5000/a\nDEPOT_IMAGE_DIGEST=sha256:1\n"
            "DEPOT_IMAGE_REFERENCE=host:5000/a@sha256:1\n");
}

TEST(Dotenv, AHostileBuilderSetsNoOtherVariable) {
  EXPECT_EQ(DotenvText({{"image.name", "a\nPATH=/x"}, {"containerimage.digest", "$(x)"}}, "a b"),
            "");
}

VertexWarning WarningAt(std::string text, int line) {
  VertexWarning warning;
  warning.short_text = std::move(text);
  warning.ranges.push_back({line, line});
  return warning;
}

TEST(CodeQuality, IsWhatGitlabReads) {
  CodeQuality quality("app/Dockerfile");
  quality.Take(WarningAt("StageNameCasing: Stage name 'A' should be lowercase (line 3)", 3));
  quality.Take(WarningAt("StageNameCasing: Stage name 'A' should be lowercase (line 3)", 3));
  quality.Take(WarningAt("something else \x1b[2J", 0));
  Result<Json> read = Json::Parse(quality.Text());
  ASSERT_TRUE(read);
  ASSERT_EQ(read->size(), 2U);
  std::map<std::string, Json> by_check;
  for (std::size_t i = 0; i < 2; ++i) {
    by_check.emplace((*read)[i]["check_name"].AsString(), (*read)[i]);
    EXPECT_EQ((*read)[i]["fingerprint"].AsString().size(), 64U);
    EXPECT_EQ((*read)[i]["severity"].AsString(), "minor");
    EXPECT_EQ((*read)[i]["location"]["path"].AsString(), "app/Dockerfile");
  }
  ASSERT_TRUE(by_check.contains("StageNameCasing"));
  EXPECT_EQ(by_check.at("StageNameCasing")["location"]["lines"]["begin"].AsInt(), 3);
  ASSERT_TRUE(by_check.contains("DockerfileWarning"));
  EXPECT_EQ(by_check.at("DockerfileWarning")["location"]["lines"]["begin"].AsInt(), 1);
}

TEST(CodeQuality, NothingIsAnEmptyList) {
  EXPECT_EQ(CodeQuality("").Text(), "[]\n");
}

Vertex StepAt(std::string name, Timestamp start, std::optional<Timestamp> end) {
  Vertex vertex;
  vertex.digest = Cat("sha256:", name);
  vertex.name = std::move(name);
  vertex.started = start;
  vertex.completed = end;
  return vertex;
}

TEST(Timeline, HasABarForEachRun) {
  Timeline timeline;
  const Timestamp now(100s);
  // The builder's clock is an hour behind.
  const Timestamp begin = now - 1h;
  timeline.Take(StepAt("[linux/amd64 1/2] FROM x", begin, {}), now);
  timeline.Take(StepAt("[linux/amd64 1/2] FROM x", begin, begin + 5s), now + 5s);
  timeline.Take(StepAt("[linux/arm64 2/2] RUN y", begin + 5s, begin + 10s), now + 10s);
  const std::string page = timeline.Page("a build", "", now + 10s);
  EXPECT_NE(page.find(R"(style="left:0.00%;width:50.00%")"), std::string::npos) << page;
  EXPECT_NE(page.find(R"(style="left:50.00%;width:50.00%")"), std::string::npos) << page;
  EXPECT_LT(page.find("<h2>linux/amd64</h2>"), page.find("<h2>linux/arm64</h2>"));
  EXPECT_NE(page.find("finished after 10.0s; 2 steps, 0 of them cached"), std::string::npos);
}

TEST(Timeline, StrangersWordsStayWords) {
  Timeline timeline;
  const Timestamp now(100s);
  Vertex vertex = StepAt("</span><script>alert(1)</script>\" onmouseover='x' \x1b[2J", now, {});
  vertex.error = "<img src=x onerror=alert(1)>";
  timeline.Take(vertex, now);
  VertexLog log;
  log.vertex = vertex.digest;
  log.data = "</pre><script>alert(2)</script>\n";
  timeline.Take(log, now);
  const std::string page = timeline.Page("<b>title</b>", "<i>error</i>", now + 1s);
  for (const char* tag : {"<script", "<img", "<b>", "<i>", "\x1b", "' x"})
    EXPECT_EQ(page.find(tag), std::string::npos) << tag << '\n' << page;
  EXPECT_NE(page.find("&lt;script&gt;alert(2)"), std::string::npos);
  EXPECT_NE(page.find("default-src 'none'"), std::string::npos);
}

TEST(Timeline, IsBounded) {
  Timeline timeline;
  const Timestamp now(100s);
  for (std::size_t i = 0; i < Timeline::kMostSteps + 7; ++i)
    timeline.Take(StepAt(Cat("step ", i), now, now), now);
  VertexLog log;
  log.vertex = "sha256:step 1";
  log.data = "a line\n";
  for (int i = 0; i < 1000; ++i)
    timeline.Take(log, now);
  const std::string page = timeline.Page("x", "", now);
  EXPECT_NE(page.find("7 more steps are not shown"), std::string::npos);
  EXPECT_LT(page.size(), Timeline::kMostSteps * 600);
}

}  // namespace
}  // namespace depot::report::reports_test
