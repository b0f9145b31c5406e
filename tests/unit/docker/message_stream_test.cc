#include "driver/docker/message_stream.h"

#include <vector>

#include <gtest/gtest.h>

#include "driver/base/text.h"

namespace depot::docker::message_stream_test {
namespace {

TEST(EngineMessageStream, UnderstandsObjectsCutAndJoinedAnywhere) {
  const std::string text =
      "{\"id\":\"a\",\"status\":\"x } \\\" { y\"}{\"id\":\"b\"}\r\n\n{\"id\":\"c\",\"status\":"
      "\"1: digest: d size: 5\"}";
  for (std::size_t step = 1; step < text.size(); ++step) {
    std::vector<std::string> seen;
    EngineMessageStream stream([&](const EngineMessage& message) {
      seen.push_back(Cat(message.id, '|', message.status, '|', message.digest));
    });
    for (std::size_t at = 0; at < text.size(); at += step) {
      ASSERT_TRUE(stream.Feed(std::string_view(text).substr(at, step)));
    }
    EXPECT_EQ(seen, (std::vector<std::string>{"a|x } \" { y|", "b||", "c|1: digest: d size: 5|d"}))
        << step;
  }
}

TEST(EngineMessageStream, KeepsTheFirstError) {
  EngineMessageStream stream([](const EngineMessage&) {});
  ASSERT_TRUE(stream.Feed(R"({"error":"first \u001b[31m https://u:p@h/"}{"error":"second"})"));
  EXPECT_EQ(stream.error(), "first ?[31m https://xxxxx:xxxxx@h/");
}

TEST(EngineMessageStream, PassesOverWhatIsNotJson) {
  int count = 0;
  EngineMessageStream stream([&](const EngineMessage&) { ++count; });
  ASSERT_TRUE(stream.Feed("hello {not json} [1] {\"id\":\"a\"} }}"));
  EXPECT_EQ(count, 1);
  EXPECT_EQ(stream.beginning(), "hello {not json} [1] {\"id\":\"a\"} }}");
}

TEST(EngineMessageStream, ErrorsHaveALengthThatCanBeRead) {
  EngineMessageStream stream([](const EngineMessage&) {});
  ASSERT_TRUE(stream.Feed(Cat(R"({"error":")", std::string(100'000, 'x'), "\"}")));
  ASSERT_TRUE(stream.error());
  EXPECT_EQ(stream.error()->size(), 4096U);
}

}  // namespace
}  // namespace depot::docker::message_stream_test
