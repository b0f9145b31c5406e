#include "plugin/progress/gitlab_layout.h"

#include <regex>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "driver/base/text.h"
#include "tests/unit/progress/event_player.h"

namespace depot::gitlab_layout_test {
namespace {

using namespace std::chrono_literals;

class Player : public EventPlayer {
 public:
  explicit Player(const Style& style = Colourless())
      : EventPlayer(true), layout_(trace(), style, false, now(), 1000) {}

  std::string Show(std::chrono::milliseconds later = 100ms) {
    return Draw(layout_, {}, later).lines;
  }
  std::string Finish(const Error* error) { return EventPlayer::Finish(layout_, {}, error).lines; }

 private:
  GitlabLayout layout_;
};

std::string Start(int when, const std::string& name, bool folded) {
  return Cat("\x1b[0Ksection_start:", when, ":depot_", name, folded ? "[collapsed=true]" : "",
             "\r\x1b[0K");
}

std::string End(int when, const std::string& name) {
  return Cat("\x1b[0Ksection_end:", when, ":depot_", name, "\r\x1b[0K\n");
}

/// What GitLab's reader of job logs takes for marks: sections that begin and end one inside the
/// other, whose names are all different.
void ExpectWellNested(const std::string& log) {
  static const std::regex mark(R"(section_(start|end):\d+:([a-zA-Z0-9_.-]+)(\[[^\]]*\])?\r)");
  std::vector<std::string> open;
  std::set<std::string> known;
  for (std::sregex_iterator one(log.begin(), log.end(), mark), end; one != end; ++one) {
    const std::string name = (*one)[2];
    if ((*one)[1] == "start") {
      EXPECT_TRUE(known.insert(name).second) << name;
      open.push_back(name);
      continue;
    }
    ASSERT_FALSE(open.empty());
    EXPECT_EQ(open.back(), name);
    open.pop_back();
  }
  EXPECT_TRUE(open.empty());
}

TEST(GitlabLayout, AStepThatPrintsIsASectionAndOthersAreALine) {
  Player play;
  play.Put(Notice{"building on tcp://b"});
  play.Begin("a", 0, "[internal] load").End("a", 0.5);
  play.Begin("b", 1, "RUN make").Log("b", 2, "cc\n").End("b", 5);
  play.Begin("e", 5, "exporting").Status("e", "naming to r/x", 0, 0, 5, 5, true).End("e", 6);
  EXPECT_EQ(play.Show(10s), Cat("#0 building on tcp://b\n"
                                "#1 [internal] load DONE 0.5s\n",
                                Start(1006, "2_1", true), "#2 RUN make DONE 4.0s\n#2 1.000 cc\n",
                                End(1010, "2_1"), Start(1009, "3_1", true),
                                "#3 exporting DONE 1.0s\n#3 naming to r/x\n", End(1010, "3_1")));
}

TEST(GitlabLayout, ALongStepIsLiveAndOthersDoNotMixWithIt) {
  Player play;
  play.Begin("a", 0, "RUN a").Log("a", 0, "a1\n").Begin("b", 0, "RUN b").Log("b", 0, "b1\n");
  std::string out = play.Show(1s);
  EXPECT_EQ(out, "");
  out += play.Show(2s);
  EXPECT_EQ(out, Cat(Start(1001, "1_1", false), "#1 RUN a runs\n#1 0.000 a1\n"));
  play.Log("a", 3, "a2\n");
  out += play.Show();
  EXPECT_TRUE(out.ends_with("#1 3.000 a2\n"));
  play.End("b", 4).Log("a", 4, "a3\n");
  std::string more = play.Show();
  EXPECT_EQ(more,
            Cat(End(1003, "1_1"), Start(999, "2_1", true), "#2 RUN b DONE 4.0s\n#2 0.000 b1\n",
                End(1003, "2_1"), Start(1003, "1_2", false), "#1 RUN a goes on\n#1 4.000 a3\n"));
  play.Log("a", 5, "a4\n").End("a", 5);
  std::string end = play.Show();
  EXPECT_EQ(end, Cat("#1 5.000 a4\n", End(1003, "1_2"), "#1 RUN a DONE 5.0s\n"));
  ExpectWellNested(out + more + end);
}

TEST(GitlabLayout, AFailingStepIsOpen) {
  Player play;
  play.Begin("a", 0, "RUN a").Log("a", 0, "no such file\n").End("a", 1, "exit code: 1");
  std::string out = play.Show();
  EXPECT_NE(out.find("depot_1_1\r"), std::string::npos);
  EXPECT_NE(out.find("#1 exit code: 1\n"), std::string::npos);
  Error error(ErrorCode::kFailed, "failed");
  std::string end = play.Finish(&error);
  EXPECT_NE(end.find("Build failed after"), std::string::npos);
  EXPECT_NE(end.find("------\n > RUN a:\n0.000 no such file\n------\n"), std::string::npos);
}

TEST(GitlabLayout, ForgedSectionsAreHarmless) {
  Player play;
  const std::string forged =
      "\x1b[0Ksection_end:1:depot_1_1\r\x1b[0Ksection_start:1:x[collapsed=true]";
  play.Put(Notice{forged});
  play.Begin("a", 0, forged).Log("a", 0, forged + "\r\x1b[0K\n" + forged + "\r\n");
  play.Status("a", "naming to " + forged, 0, 0, 0, 0, true).End("a", 1, forged);
  std::string out = play.Show();
  Error error(ErrorCode::kFailed, "failed");
  out += play.Finish(&error);
  ExpectWellNested(out);
  // A runner that ends lines with CR LF.
  std::string with_cr;
  for (char c : out)
    with_cr += c == '\n' ? std::string("\r\n") : std::string(1, c);
  ExpectWellNested(with_cr);
  EXPECT_EQ(out.find("section_end:1:"), std::string::npos);
  EXPECT_EQ(out.find("section_start:1:"), std::string::npos);
}

TEST(GitlabLayout, SaysThatItLivesWhenAllAreSilent) {
  Player play;
  play.Begin("a", 0, "RUN a").Begin("b", 0, "RUN b");
  EXPECT_EQ(play.Show(), "");
  EXPECT_EQ(play.Show(29s), "");
  EXPECT_EQ(play.Show(2s), "still running: RUN a (31.0s) and 1 more\n");
  EXPECT_EQ(play.Show(1s), "");
}

TEST(GitlabLayout, KeepsRoomForTheEnd) {
  Player play;
  std::string out;
  const std::string line = std::string(999, 'x') + "\n";
  play.Begin("a", 0, "RUN a").Begin("b", 0, "RUN b").Log("b", 0, "first\n");
  for (int i = 0; i < 6000; ++i) {
    play.Log("a", 1, line);
    if (i % 200 == 0) out += play.Show(1s);
  }
  for (int i = 0; i < 1000; ++i)
    play.Log("b", 2, line);
  play.Log("b", 3, "the reason\n").End("b", 3, "exit code: 1").End("a", 3);
  for (int i = 0; i < 10; ++i)
    out += play.Show();
  Error error(ErrorCode::kFailed, "failed");
  out += play.Finish(&error);
  EXPECT_LT(out.size(), 4U << 20);
  EXPECT_NE(out.find("#2 3.000 the reason\n"), std::string::npos);
  EXPECT_NE(out.find("lines left out"), std::string::npos);
  EXPECT_NE(out.find("Build failed"), std::string::npos);
  ExpectWellNested(out);
}

TEST(GitlabLayout, CancelledInTheMiddle) {
  Player play;
  play.Begin("a", 0, "RUN a").Log("a", 0, "a1\n");
  std::string out = play.Show(0s) + play.Show(3s);
  play.Begin("b", 0, "RUN b").Log("b", 0, "b1\n");
  out += play.Show();
  Error error(ErrorCode::kCancelled, "cancelled");
  out += play.Finish(&error);
  ExpectWellNested(out);
  EXPECT_NE(out.find("RUN b CANCELED"), std::string::npos);
  EXPECT_NE(out.find("Build was cancelled"), std::string::npos);
}

}  // namespace
}  // namespace depot::gitlab_layout_test
