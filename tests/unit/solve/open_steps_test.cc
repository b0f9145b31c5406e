#include "driver/solve/open_steps.h"

#include <vector>

#include <gtest/gtest.h>

#include "driver/event/step.h"

namespace depot::solve::open_steps_test {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

class LastVertex final : public EventSink {
 public:
  void Emit(Event event) override {
    if (auto* vertex = std::get_if<Vertex>(&event)) last = std::move(*vertex);
  }
  Vertex last;
};

Vertex Running(const std::string& name, std::vector<std::string> inputs) {
  Vertex vertex;
  vertex.digest = name;
  vertex.name = name;
  vertex.inputs = std::move(inputs);
  vertex.started = Now();
  return vertex;
}

TEST(OpenSteps, AStepThatWorksOnOthersRuns) {
  LastVertex sink;
  OpenSteps steps(sink);
  EXPECT_FALSE(steps.RunsFor(seconds(0)));
  Vertex run = Running("[2/2] RUN make", {"sha256:1"});
  steps.Emit(run);
  EXPECT_TRUE(steps.RunsFor(seconds(0)));
  EXPECT_FALSE(steps.RunsFor(hours(1)));
  run.completed = Now();
  steps.Emit(run);
  EXPECT_FALSE(steps.RunsFor(seconds(0)));
  EXPECT_EQ(sink.last.digest, run.digest);
}

TEST(OpenSteps, SourcesAndExportsDoNotCount) {
  LastVertex sink;
  OpenSteps steps(sink);
  steps.Emit(Running("[1/2] FROM alpine", {}));
  steps.Emit(Running("exporting to image", {}));
  EXPECT_FALSE(steps.RunsFor(seconds(0)));
}

TEST(OpenSteps, NothingCountsWhileTheContextIsSent) {
  LastVertex sink;
  OpenSteps steps(sink);
  steps.Emit(Running("[2/2] RUN make", {"sha256:1"}));
  Vertex load = Running("[internal] load build context", {});
  steps.Emit(load);
  EXPECT_FALSE(steps.RunsFor(seconds(0)));
  load.completed = Now();
  steps.Emit(load);
  EXPECT_TRUE(steps.RunsFor(seconds(0)));
}

TEST(OpenSteps, WhatWasLostIsShownAsCancelled) {
  LastVertex sink;
  OpenSteps steps(sink);
  steps.Emit(Running("[2/2] RUN make", {"sha256:1"}));
  steps.CancelAll();
  EXPECT_EQ(sink.last.error, "context canceled");
  EXPECT_FALSE(steps.RunsFor(seconds(0)));
}

}  // namespace
}  // namespace depot::solve::open_steps_test
