#include "driver/event/masking_sink.h"

#include <gtest/gtest.h>

#include "driver/base/text.h"

namespace depot::masking_sink_test {
namespace {

/// What came through, as one text.
class Collected final : public EventSink {
 public:
  void Emit(Event event) override {
    if (auto* log = std::get_if<VertexLog>(&event)) logs += log->data;
    if (auto* vertex = std::get_if<Vertex>(&event)) others += Cat(vertex->name, vertex->error);
    if (auto* notice = std::get_if<Notice>(&event)) others += notice->text;
  }

  std::string logs;
  std::string others;
};

class MaskingSinkTest : public testing::Test {
 protected:
  void Log(std::string data, int stream = 1) {
    VertexLog log;
    log.vertex = "v";
    log.stream = stream;
    log.data = std::move(data);
    sink.Emit(log);
  }

  Masks masks;
  Collected collected;
  MaskingSink sink{collected, masks};
};

TEST_F(MaskingSinkTest, HidesASecretWhereverItIsCut) {
  const std::string secret = "abcabcd-s3cret";
  masks.Add(Secret(secret));
  const std::string text = Cat("one ", secret, " two ", secret, secret, " abcabc");
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    collected.logs.clear();
    Log(text.substr(0, cut));
    Log(text.substr(cut));
    sink.Flush();
    EXPECT_EQ(collected.logs, "one *** two ****** abcabc") << cut;
  }
  collected.logs.clear();
  for (char c : text)
    Log(std::string(1, c));
  sink.Flush();
  EXPECT_EQ(collected.logs, "one *** two ****** abcabc");
}

TEST_F(MaskingSinkTest, TwoStreamsAreTwoTexts) {
  masks.Add(Secret("secret-1"));
  Log("secr", 1);
  Log("secr", 2);
  Log("et-1\n", 1);
  sink.Flush();
  EXPECT_EQ(collected.logs, "***\nsecr");
}

TEST_F(MaskingSinkTest, WhatWaitedComesBeforeTheStepsEnd) {
  masks.Add(Secret("secret-1"));
  Log("se");
  EXPECT_EQ(collected.logs, "");
  Vertex vertex;
  vertex.digest = "v";
  vertex.completed = Timestamp();
  sink.Emit(vertex);
  EXPECT_EQ(collected.logs, "se");
}

TEST_F(MaskingSinkTest, NamesErrorsAndLinesOfOurs) {
  masks.AddLogin("user", Secret("password1"));
  Vertex vertex;
  vertex.name = "RUN echo password1";
  vertex.error = "it said dXNlcjpwYXNzd29yZDE=";
  sink.Emit(vertex);
  sink.Say(" with password1");
  EXPECT_EQ(collected.others, "RUN echo ***it said *** with ***");
}

TEST(Masks, KnowsTheLinesOfAKeyAndLeavesShortWordsAlone) {
  Masks masks;
  masks.Add(Secret("-----BEGIN-----\nbase64line\r\nabc\n"));
  masks.Add(Secret("true\n"));
  EXPECT_EQ(masks.Hide("a base64line b true abc"), "a *** b true abc");
}

}  // namespace
}  // namespace depot::masking_sink_test
