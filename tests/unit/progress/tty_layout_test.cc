#include "plugin/progress/tty_layout.h"

#include <string>

#include <gtest/gtest.h>

#include "driver/base/columns.h"
#include "driver/base/text.h"
#include "tests/unit/progress/event_player.h"

namespace depot::tty_layout_test {
namespace {

using namespace std::chrono_literals;

class Player : public EventPlayer {
 public:
  explicit Player(const Style& style = Colourless())
      : EventPlayer(style.tools_colours), layout_(trace(), style, "tcp://builder", false, now()) {}

  Frame Show(ScreenSize size = {80, 24}, std::chrono::milliseconds later = 100ms) {
    return Draw(layout_, size, later);
  }
  /// All of a frame as one text: what stays, then what does not.
  std::string Text(ScreenSize size = {80, 24}, std::chrono::milliseconds later = 100ms) {
    Frame frame = Show(size, later);
    return frame.lines + "~\n" + Join(frame.live, "\n") + "\n";
  }
  std::string Finish(const Error* error, ScreenSize size = {80, 24}) {
    Frame frame = EventPlayer::Finish(layout_, size, error);
    EXPECT_TRUE(frame.live.empty());
    return frame.lines;
  }

 private:
  TtyLayout layout_;
};

void Busy(Player& play) {
  play.Begin("p", 0, "[1/3] FROM busybox");
  play.Begin("a", 0, "[amd64 2/3] RUN make \u4f60\u597d all");
  play.Begin("b", 0, "[arm64 2/3] RUN make all").Begin("c", 0, "[3/3] COPY . .");
  Vertex cached;
  cached.digest = "d";
  cached.name = "[base 1/1] WORKDIR /src";
  cached.cached = true;
  cached.started = cached.completed = play.At(0);
  play.Put(cached);
  play.Show({80, 24}, 0ms);
  play.Status("p", "sha256:aa", 1'000'000, 9'000'000, 0, 0).Status("p", "sha256:bb", 0, 0, 0, 0);
  play.Show({80, 24}, 1000ms);
  play.Status("p", "sha256:aa", 3'000'000, 9'000'000, 0, 1);
  play.Log("a", 1, "cc a.c\n\tcc b.c\ncc c.c\n").Log("b", 1, "cc x.c\n");
}

TEST(TtyLayout, ShowsWhatRunsAndWhatItDoes) {
  Player play;
  Busy(play);
  EXPECT_EQ(
      play.Text({80, 24}, 1000ms),
      "~\n"
      "[+] Building 2.0s (1/5)                                           tcp://builder\n"
      " => [1/3] FROM busybox                                                     2.0s\n"
      " => => sha256:aa                             3.00MB / 9.00MB  2.00MB/s  4s left\n"
      " => => sha256:bb\n"
      " => [amd64 2/3] RUN make \u4f60\u597d all                                          2.0s\n"
      " => => # cc a.c\n"
      " => => #        cc b.c\n"
      " => => # cc c.c\n"
      " => [arm64 2/3] RUN make all                                               2.0s\n"
      " => => # cc x.c\n"
      " => [3/3] COPY . .                                                         2.0s\n");
}

TEST(TtyLayout, IsRightAtAnySize) {
  for (std::size_t columns : {0, 1, 2, 5, 12, 20, 33, 80, 200}) {
    for (std::size_t rows : {0, 1, 2, 3, 4, 5, 8, 24, 80}) {
      Player play;
      Busy(play);
      const Frame frame = play.Show({columns, rows});
      EXPECT_LT(frame.live.size(), std::max<std::size_t>(rows, 1)) << columns << 'x' << rows;
      for (const std::string& line : frame.live)
        EXPECT_LT(Columns(line), std::max<std::size_t>(columns, 1)) << columns << 'x' << rows;
    }
  }
}

TEST(TtyLayout, OnASmallScreenTheStepsComeFirst) {
  Player play;
  Busy(play);
  EXPECT_EQ(play.Text({20, 5}, 1000ms),
            "~\n"
            "[+] Building 2.0s (\n"
            " => [1/3] FROM 2.0s\n"
            " => [amd64 2/3 2.0s\n"
            " => and 2 more\n");
}

TEST(TtyLayout, AnEndedStepIsOneLineThatStays) {
  Player play;
  play.Put(Notice{"building on tcp://b"}).Begin("a", 0, "[1/2] RUN a").Log("a", 1, "noise\n");
  play.Show();
  play.End("a", 2.5).Begin("b", 3, "RUN b").End("b", 4, "exit code: 1");
  play.Begin("c", 3, "RUN c").End("c", 4, "rpc: context canceled");
  play.Begin("e", 3, "exporting to image").Status("e", "naming to reg/x:1", 0, 0, 3, 3, true);
  play.Status("e", "pushing layers", 0, 0, 3, 3, true).End("e", 4);
  EXPECT_EQ(play.Show({40, 24}).lines,
            " => [1/2] RUN a                    2.5s\n"
            " => ERROR RUN b                    1.0s\n"
            " => CANCELED RUN c                 1.0s\n"
            " => exporting to image             1.0s\n"
            " => => naming to reg/x:1\n");
}

TEST(TtyLayout, AFailureHasTheWholeOutput) {
  Player play;
  play.Begin("a", 0, "RUN make").Begin("b", 0, "RUN other").Log("b", 0, "other\n");
  for (int i = 1; i <= 30; ++i)
    play.Log("a", 1, Cat("line ", i, '\n'));
  play.Log("a", 1, "no newline").End("a", 2, "exit code: 2");
  play.Show();
  Error error(ErrorCode::kFailed, "failed");
  std::string out = play.Finish(&error);
  for (int i = 1; i <= 30; ++i)
    EXPECT_NE(out.find(Cat("\n1.000 line ", i, '\n')), std::string::npos) << i;
  EXPECT_NE(out.find("1.000 no newline\n------\n"), std::string::npos);
  EXPECT_NE(out.find("(1/2) FAILED"), std::string::npos) << out;
  EXPECT_NE(out.find(" => UNFINISHED RUN other"), std::string::npos) << out;
}

TEST(TtyLayout, OutputThatIsKeptIsBounded) {
  Player play;
  play.Begin("a", 0, "RUN yes");
  const std::string line = std::string(1000, 'y') + "\n";
  for (int i = 0; i < 3000; ++i) {
    play.Log("a", 1, line);
    if (i % 500 == 0) play.Show();
  }
  play.End("a", 2, "exit code: 2");
  play.Show();
  Error error(ErrorCode::kFailed, "failed");
  std::string out = play.Finish(&error);
  EXPECT_LT(out.size(), KeptLines::kStepBytes + 10'000);
  EXPECT_NE(out.find("earlier lines were not kept]"), std::string::npos);
}

TEST(TtyLayout, AStepThatGoesOnIsNotDone) {
  Player play;
  play.Begin("a", 0, "export").End("a", 1).Begin("a", 5);
  Frame frame = play.Show();
  EXPECT_EQ(frame.lines, "");
  EXPECT_NE(frame.live[0].find("(0/1)"), std::string::npos);
  play.End("a", 7.5);
  EXPECT_NE(play.Show().lines.find(" => export"), std::string::npos);
  EXPECT_NE(play.Finish(nullptr).find("(1/1) FINISHED"), std::string::npos);
}

TEST(TtyLayout, ColoursEndWithTheirLine) {
  Player play{Style()};
  play.Begin("a", 0, "RUN a").Log("a", 1, "\x1b[32mgreen\nstill green\x1b[2J\n");
  Frame frame = play.Show();
  ASSERT_EQ(frame.live.size(), 4U);
  EXPECT_TRUE(frame.live[3].ends_with("\x1b[0m")) << frame.live[3];
  EXPECT_EQ(frame.live[3].find("[2J"), std::string::npos);
  play.End("a", 2);
  EXPECT_TRUE(play.Show().lines.starts_with("\x1b[34m => RUN a"));
}

TEST(TtyLayout, ManyStepsCostLittle) {
  Player play;
  for (int i = 0; i < 20'000; ++i) {
    const std::string id = Cat("v", i);
    play.Begin(id, i, Cat("RUN ", i)).End(id, i + 1);
    if (i % 1000 == 0) play.Show();
  }
  play.Show();
  EXPECT_NE(play.Finish(nullptr).find("(20000/20000) FINISHED"), std::string::npos);
}

}  // namespace
}  // namespace depot::tty_layout_test
