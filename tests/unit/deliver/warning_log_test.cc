#include "plugin/deliver/warning_log.h"

#include <gtest/gtest.h>

#include "driver/base/encode.h"
#include "tests/unit/session/recording_sink.h"

namespace depot::deliver::warning_log_test {
namespace {

VertexWarning Warning() {
  VertexWarning warning;
  warning.vertex = "sha256:aa";
  warning.level = 1;
  warning.short_text = "short";
  warning.detail = {"one", "two"};
  warning.url = "https://u";
  warning.filename = "Dockerfile";
  warning.source = "FROM x\n";
  warning.language = "Dockerfile";
  warning.ranges = {{4, 5, 0, 2}};
  return warning;
}

TEST(WarningLog, KeepsEachOnceInTheFormOfBuildx) {
  session::RecordingSink sink;
  WarningLog log(sink);
  EXPECT_EQ(log.Value(), "");
  log.Emit(Warning());
  VertexWarning again = Warning();
  again.vertex = "sha256:bb";
  log.Emit(again);
  log.Say("a line");
  EXPECT_EQ(sink.notices(), std::vector<std::string>{"a line"});
  EXPECT_EQ(FromBase64(log.Value()).value_or(""),
            R"([{"detail":["b25l","dHdv"],"level":1,"range":[{"end":{"character":2,"line":5},)"
            R"("start":{"line":4}}],"short":"c2hvcnQ=","sourceInfo":{"data":"RlJPTSB4Cg==",)"
            R"("filename":"Dockerfile","language":"Dockerfile"},"url":"https://u",)"
            R"("vertex":"sha256:aa"}])");
}

TEST(WarningLog, AStrangersAreBounded) {
  session::RecordingSink sink;
  WarningLog log(sink);
  for (int i = 0; i < 1500; ++i) {
    VertexWarning warning;
    warning.level = i + 1;
    log.Emit(warning);
  }
  EXPECT_EQ(Json::Parse(FromBase64(log.Value()).value_or(""))->size(), 1000u);
}

}  // namespace
}  // namespace depot::deliver::warning_log_test
