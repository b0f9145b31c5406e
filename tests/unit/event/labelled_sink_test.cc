#include "driver/event/labelled_sink.h"

#include <vector>

#include <gtest/gtest.h>

namespace depot::labelled_sink_test {
namespace {

struct Collect final : EventSink {
  void Emit(Event event) override { events.push_back(std::move(event)); }
  std::vector<Event> events;
};

std::string NameOf(const std::string& name) {
  Collect all;
  Vertex vertex;
  vertex.name = name;
  MakeLabelledSink(all, "linux/arm64")->Emit(vertex);
  return std::get<Vertex>(all.events.at(0)).name;
}

TEST(LabelledSink, NamesSayThePlatformOnce) {
  EXPECT_EQ(NameOf("[2/5] RUN make"), "[linux/arm64 2/5] RUN make");
  EXPECT_EQ(NameOf("[internal] load .dockerignore"), "[linux/arm64 internal] load .dockerignore");
  EXPECT_EQ(NameOf("exporting to image"), "[linux/arm64] exporting to image");
  EXPECT_EQ(NameOf("[linux/arm64 2/5] RUN make"), "[linux/arm64 2/5] RUN make");
}

TEST(LabelledSink, TheSameStepOfTwoBuildersStaysTwoSteps) {
  Collect all;
  auto arm = MakeLabelledSink(all, "linux/arm64");
  auto amd = MakeLabelledSink(all, "linux/amd64");
  for (EventSink* sink : {arm.get(), amd.get()}) {
    Vertex vertex;
    vertex.digest = "sha256:1";
    vertex.inputs = {"sha256:0"};
    sink->Emit(vertex);
    VertexLog log;
    log.vertex = "sha256:1";
    sink->Emit(log);
  }
  ASSERT_EQ(all.events.size(), 4U);
  EXPECT_NE(std::get<Vertex>(all.events[0]).digest, std::get<Vertex>(all.events[2]).digest);
  EXPECT_EQ(std::get<Vertex>(all.events[0]).digest, std::get<VertexLog>(all.events[1]).vertex);
  EXPECT_NE(std::get<Vertex>(all.events[0]).inputs, std::get<Vertex>(all.events[2]).inputs);
}

TEST(LabelledSink, NoticesPassUnchanged) {
  Collect all;
  MakeLabelledSink(all, "linux/arm64")->Say("hello");
  EXPECT_EQ(std::get<Notice>(all.events.at(0)).text, "hello");
}

}  // namespace
}  // namespace depot::labelled_sink_test
