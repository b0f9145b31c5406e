#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "driver/base/columns.h"
#include "driver/base/text.h"
#include "plugin/progress/gitlab_layout.h"
#include "plugin/progress/plain_layout.h"
#include "plugin/progress/quiet_layout.h"
#include "plugin/progress/tty_layout.h"
#include "tests/unit/progress/event_player.h"

namespace depot::layouts_test {
namespace {

using namespace std::chrono_literals;

/// A build in its middle: steps of two platforms that run, move bytes and print, one that ended
/// well, one from the cache, and one that failed.
void PlayHalf(EventPlayer& play) {
  play.Put(Notice{"building on tcp://builder.example:8372 with TLS (DEPOT_BUILDER)"});
  play.Begin("d", 0, "[internal] load build definition from Dockerfile").End("d", 0.2);
  play.Begin("p", 0, "[linux/amd64 base 1/5] FROM docker.io/library/busybox:latest@sha256:0123");
  play.Status("p", "sha256:aa", 1'000'000, 9'000'000, 0, 0).Status("p", "sha256:bb", 0, 0, 0, 0);
  play.Begin("a", 0, "[linux/amd64 compile 3/5] RUN make \u4f60\u597d all");
  play.Begin("b", 0, "[linux/arm64 compile 3/5] RUN make all");
  Vertex cached;
  cached.digest = "c";
  cached.name = "[linux/amd64 base 2/5] WORKDIR /src";
  cached.cached = true;
  cached.started = cached.completed = play.At(0);
  play.Put(cached);
}

void PlayMore(EventPlayer& play) {
  play.Status("p", "sha256:aa", 3'000'000, 9'000'000, 0, 1);
  for (int i = 1; i <= 9; ++i)
    play.Log("a", 1, Cat("cc -c src/file", i, ".c\n"));
  play.Log("b", 1, "\tcc \u4f60\u597d.c\n").Begin("f", 0.5, "[linux/arm64 docs 3/5] RUN doxygen");
  play.Log("f", 1, "doxygen: not found\n").End("f", 1.5, "process \"doxygen\": exit code: 127");
}

struct Shown {
  std::string first;
  Frame middle;
  std::string end;
};

/// What `layout`, a layout of the player's trace, shows of the build that fails.
Shown PlayOn(EventPlayer& play, Layout& layout, ScreenSize size) {
  Shown shown;
  PlayHalf(play);
  shown.first = play.Draw(layout, size, 0ms).lines;
  PlayMore(play);
  shown.middle = play.Draw(layout, size, 1000ms);
  Error error(ErrorCode::kFailed, "failed");
  shown.end = play.Finish(layout, size, &error).lines;
  return shown;
}

Shown PlayOnTerminal(ScreenSize size) {
  EventPlayer play(false);
  TtyLayout layout(play.trace(), Colourless(), "tcp://builder.example:8372", false, play.now());
  return PlayOn(play, layout, size);
}

/// As it is in the golden texts below.
std::string Golden(const Shown& shown) {
  return Cat(shown.first, shown.middle.lines, "~\n", Join(shown.middle.live, "\n"), "\n~\n",
             shown.end);
}

struct AtSize {
  ScreenSize size;
  const char* text;
};

constexpr AtSize kOnTerminals[] = {
    {{20, 5},
     "building on tcp://builder.example:8372 with TLS (DEPOT_BUILDER)\n"
     " => [internal]  0.2s\n"
     " => CACHED [lin 0.0s\n"
     " => ERROR [linu 1.0s\n"
     "~\n"
     "[+] Building 1.0s (\n"
     " => [linux/amd 1.0s\n"
     " => [linux/amd 1.0s\n"
     " => [linux/arm 1.0s\n"
     "~\n"
     " => UNFINISHED  1.0s\n"
     " => UNFINISHED  1.0s\n"
     " => UNFINISHED  1.0s\n"
     "[+] Building 1.0s (3\n"
     "    steps    6, of which 1 cached\n"
     "    slowest  1.0s [linux/arm64 docs 3/5] RUN doxygen\n"
     "------\n"
     " > [linux/arm64 docs 3/5] RUN doxygen:\n"
     "0.500 doxygen: not found\n"
     "------\n"},
    {{33, 8},
     "building on tcp://builder.example:8372 with TLS (DEPOT_BUILDER)\n"
     " => [internal] load build d 0.2s\n"
     " => CACHED [linux/amd64 bas 0.0s\n"
     " => ERROR [linux/arm64 docs 1.0s\n"
     "~\n"
     "[+] Building 1.0s (3/6)\n"
     " => [linux/amd64 base 1/5]  1.0s\n"
     " => => sha256:a  3.00MB / 9.00MB\n"
     " => [linux/amd64 compile 3/ 1.0s\n"
     " => => # cc -c src/file9.c\n"
     " => [linux/arm64 compile 3/ 1.0s\n"
     " => => #        cc \u4f60\u597d.c\n"
     "~\n"
     " => UNFINISHED [linux/amd64 1.0s\n"
     " => UNFINISHED [linux/amd64 1.0s\n"
     " => UNFINISHED [linux/arm64 1.0s\n"
     "[+] Building 1.0s (3/6) FAILED\n"
     "    steps    6, of which 1 cached\n"
     "    slowest  1.0s [linux/arm64 docs 3/5] RUN doxygen\n"
     "------\n"
     " > [linux/arm64 docs 3/5] RUN doxygen:\n"
     "0.500 doxygen: not found\n"
     "------\n"},
    {{40, 12},
     "building on tcp://builder.example:8372 with TLS (DEPOT_BUILDER)\n"
     " => [internal] load build definiti 0.2s\n"
     " => CACHED [linux/amd64 base 2/5]  0.0s\n"
     " => ERROR [linux/arm64 docs 3/5] R 1.0s\n"
     "~\n"
     "[+] Building 1.0s (3/6)\n"
     " => [linux/amd64 base 1/5] FROM do 1.0s\n"
     " => => sha256:aa        3.00MB / 9.00MB\n"
     " => => sha256:bb\n"
     " => [linux/amd64 compile 3/5] RUN  1.0s\n"
     " => => # cc -c src/file6.c\n"
     " => => # cc -c src/file7.c\n"
     " => => # cc -c src/file8.c\n"
     " => => # cc -c src/file9.c\n"
     " => [linux/arm64 compile 3/5] RUN  1.0s\n"
     " => => #        cc \u4f60\u597d.c\n"
     "~\n"
     " => UNFINISHED [linux/amd64 base 1 1.0s\n"
     " => UNFINISHED [linux/amd64 compil 1.0s\n"
     " => UNFINISHED [linux/arm64 compil 1.0s\n"
     "[+] Building 1.0s (3/6) FAILED\n"
     "    steps    6, of which 1 cached\n"
     "    slowest  1.0s [linux/arm64 docs 3/5] RUN doxygen\n"
     "------\n"
     " > [linux/arm64 docs 3/5] RUN doxygen:\n"
     "0.500 doxygen: not found\n"
     "------\n"},
    {{80, 24},
     "building on tcp://builder.example:8372 with TLS (DEPOT_BUILDER)\n"
     " => [internal] load build definition from Dockerfile                       0.2s\n"
     " => CACHED [linux/amd64 base 2/5] WORKDIR /src                             0.0s\n"
     " => ERROR [linux/arm64 docs 3/5] RUN doxygen                               1.0s\n"
     "~\n"
     "[+] Building 1.0s (3/6)                              tcp://builder.example:8372\n"
     " => [linux/amd64 base 1/5] FROM docker.io/library/busybox:latest@sha256:01 1.0s\n"
     " => => sha256:aa                                                3.00MB / 9.00MB\n"
     " => => sha256:bb\n"
     " => [linux/amd64 compile 3/5] RUN make \u4f60\u597d all                            1.0s\n"
     " => => # cc -c src/file4.c\n"
     " => => # cc -c src/file5.c\n"
     " => => # cc -c src/file6.c\n"
     " => => # cc -c src/file7.c\n"
     " => => # cc -c src/file8.c\n"
     " => => # cc -c src/file9.c\n"
     " => [linux/arm64 compile 3/5] RUN make all                                 1.0s\n"
     " => => #        cc \u4f60\u597d.c\n"
     "~\n"
     " => UNFINISHED [linux/amd64 base 1/5] FROM docker.io/library/busybox:lates 1.0s\n"
     " => UNFINISHED [linux/amd64 compile 3/5] RUN make \u4f60\u597d all                 1.0s\n"
     " => UNFINISHED [linux/arm64 compile 3/5] RUN make all                      1.0s\n"
     "[+] Building 1.0s (3/6) FAILED                       tcp://builder.example:8372\n"
     "    steps    6, of which 1 cached\n"
     "    slowest  1.0s [linux/arm64 docs 3/5] RUN doxygen\n"
     "------\n"
     " > [linux/arm64 docs 3/5] RUN doxygen:\n"
     "0.500 doxygen: not found\n"
     "------\n"},
    {{120, 40},
     "building on tcp://builder.example:8372 with TLS (DEPOT_BUILDER)\n"
     " => [internal] load build definition from Dockerfile                                         "
     "                      0.2s\n"
     " => CACHED [linux/amd64 base 2/5] WORKDIR /src                                               "
     "                      0.0s\n"
     " => ERROR [linux/arm64 docs 3/5] RUN doxygen                                                 "
     "                      1.0s\n"
     "~\n"
     "[+] Building 1.0s (3/6)                                                                      "
     "tcp://builder.example:8372\n"
     " => [linux/amd64 base 1/5] FROM docker.io/library/busybox:latest@sha256:0123                 "
     "                      1.0s\n"
     " => => sha256:aa                                                                             "
     "           3.00MB / 9.00MB\n"
     " => => sha256:bb\n"
     " => [linux/amd64 compile 3/5] RUN make \u4f60\u597d all                                      "
     "                              1.0s\n"
     " => => # cc -c src/file4.c\n"
     " => => # cc -c src/file5.c\n"
     " => => # cc -c src/file6.c\n"
     " => => # cc -c src/file7.c\n"
     " => => # cc -c src/file8.c\n"
     " => => # cc -c src/file9.c\n"
     " => [linux/arm64 compile 3/5] RUN make all                                                   "
     "                      1.0s\n"
     " => => #        cc \u4f60\u597d.c\n"
     "~\n"
     " => UNFINISHED [linux/amd64 base 1/5] FROM docker.io/library/busybox:latest@sha256:0123      "
     "                      1.0s\n"
     " => UNFINISHED [linux/amd64 compile 3/5] RUN make \u4f60\u597d all                           "
     "                              1.0s\n"
     " => UNFINISHED [linux/arm64 compile 3/5] RUN make all                                        "
     "                      1.0s\n"
     "[+] Building 1.0s (3/6) FAILED                                                               "
     "tcp://builder.example:8372\n"
     "    steps    6, of which 1 cached\n"
     "    slowest  1.0s [linux/arm64 docs 3/5] RUN doxygen\n"
     "------\n"
     " > [linux/arm64 docs 3/5] RUN doxygen:\n"
     "0.500 doxygen: not found\n"
     "------\n"},
    {{200, 80},
     "building on tcp://builder.example:8372 with TLS (DEPOT_BUILDER)\n"
     " => [internal] load build definition from Dockerfile                                         "
     "                                                                                             "
     "         0.2s\n"
     " => CACHED [linux/amd64 base 2/5] WORKDIR /src                                               "
     "                                                                                             "
     "         0.0s\n"
     " => ERROR [linux/arm64 docs 3/5] RUN doxygen                                                 "
     "                                                                                             "
     "         1.0s\n"
     "~\n"
     "[+] Building 1.0s (3/6)                                                                      "
     "                                                                                "
     "tcp://builder.example:8372\n"
     " => [linux/amd64 base 1/5] FROM docker.io/library/busybox:latest@sha256:0123                 "
     "                                                                                             "
     "         1.0s\n"
     " => => sha256:aa                                                                             "
     "                                                                                           "
     "3.00MB / 9.00MB\n"
     " => => sha256:bb\n"
     " => [linux/amd64 compile 3/5] RUN make \u4f60\u597d all                                      "
     "                                                                                             "
     "                 1.0s\n"
     " => => # cc -c src/file4.c\n"
     " => => # cc -c src/file5.c\n"
     " => => # cc -c src/file6.c\n"
     " => => # cc -c src/file7.c\n"
     " => => # cc -c src/file8.c\n"
     " => => # cc -c src/file9.c\n"
     " => [linux/arm64 compile 3/5] RUN make all                                                   "
     "                                                                                             "
     "         1.0s\n"
     " => => #        cc \u4f60\u597d.c\n"
     "~\n"
     " => UNFINISHED [linux/amd64 base 1/5] FROM docker.io/library/busybox:latest@sha256:0123      "
     "                                                                                             "
     "         1.0s\n"
     " => UNFINISHED [linux/amd64 compile 3/5] RUN make \u4f60\u597d all                           "
     "                                                                                             "
     "                 1.0s\n"
     " => UNFINISHED [linux/arm64 compile 3/5] RUN make all                                        "
     "                                                                                             "
     "         1.0s\n"
     "[+] Building 1.0s (3/6) FAILED                                                               "
     "                                                                                "
     "tcp://builder.example:8372\n"
     "    steps    6, of which 1 cached\n"
     "    slowest  1.0s [linux/arm64 docs 3/5] RUN doxygen\n"
     "------\n"
     " > [linux/arm64 docs 3/5] RUN doxygen:\n"
     "0.500 doxygen: not found\n"
     "------\n"},
};

TEST(Layouts, OnTerminalsOfManySizes) {
  for (const AtSize& at : kOnTerminals) {
    EXPECT_EQ(Golden(PlayOnTerminal(at.size)), at.text) << at.size.columns << 'x' << at.size.rows;
  }
}

/// Whether the lines that a terminal layout makes itself fit; what it passes on is as it came.
void ExpectFits(const Shown& shown, ScreenSize size) {
  EXPECT_LT(shown.middle.live.size(), size.rows);
  for (const std::string& line : shown.middle.live)
    EXPECT_LT(Columns(line), size.columns) << line;
  const std::string lines = Cat(shown.first, shown.middle.lines, shown.end);
  for (std::string_view line : Split(lines, '\n')) {
    const bool own = line.starts_with(" => ") || line.starts_with("[+]");
    // Lines that stay are not made narrower than this.
    if (own) EXPECT_LE(Columns(line), std::max<std::size_t>(size.columns - 1, 20)) << line;
  }
}

TEST(Layouts, OnTerminalsOfAnySize) {
  for (std::size_t columns = 20; columns <= 200; ++columns) {
    for (std::size_t rows : {5, 24})
      ExpectFits(PlayOnTerminal({columns, rows}), {columns, rows});
  }
  for (std::size_t rows = 5; rows <= 80; ++rows) {
    for (std::size_t columns : {20, 80, 200})
      ExpectFits(PlayOnTerminal({columns, rows}), {columns, rows});
  }
}

/// Logs and pipes have no size.
TEST(Layouts, OthersAreTheSameAtAnySize) {
  std::vector<std::string> texts[3];
  for (ScreenSize size : {ScreenSize{20, 5}, {80, 24}, {200, 80}}) {
    EventPlayer plain(false);
    PlainLayout one(plain.trace(), plain.now());
    texts[0].push_back(Golden(PlayOn(plain, one, size)));
    EventPlayer gitlab(true);
    GitlabLayout two(gitlab.trace(), Style(), false, gitlab.now(), 1000);
    texts[1].push_back(Golden(PlayOn(gitlab, two, size)));
    EventPlayer quiet(false);
    QuietLayout three(quiet.trace(), false);
    texts[2].push_back(Golden(PlayOn(quiet, three, size)));
  }
  for (const std::vector<std::string>& same : texts) {
    EXPECT_EQ(same[0], same[1]);
    EXPECT_EQ(same[0], same[2]);
  }
  EXPECT_EQ(texts[2][0],
            "~\n\n~\n------\n > [linux/arm64 docs 3/5] RUN doxygen:\n"
            "0.500 doxygen: not found\n------\n");
}

TEST(Layouts, StepsThatAllRunAtOnceCostLittle) {
  EventPlayer play(false);
  TtyLayout tty(play.trace(), Colourless(), "", false, play.now());
  constexpr int kSteps = 15'000;
  for (int i = 0; i < kSteps; ++i)
    play.Begin(Cat("v", i), 0, "RUN");
  EXPECT_EQ(play.Draw(tty, {80, 24}, 100ms).live.back(), Cat(" => and ", kSteps - 21, " more"));
  for (int i = kSteps; i > 0; --i)
    play.End(Cat("v", i - 1), 1);
  EXPECT_EQ(play.Draw(tty, {80, 24}, 100ms).live.size(), 1U);
}

}  // namespace
}  // namespace depot::layouts_test
