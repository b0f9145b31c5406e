#include "plugin/progress/plain_layout.h"

#include <string>

#include <gtest/gtest.h>

#include "plugin/progress/closing.h"
#include "tests/unit/progress/event_player.h"

namespace depot::plain_layout_test {
namespace {

using namespace std::chrono_literals;

class Player : public EventPlayer {
 public:
  explicit Player(bool colours = false) : EventPlayer(colours), layout_(trace(), now()) {}

  std::string Show(std::chrono::milliseconds later = 100ms) {
    return Draw(layout_, {}, later).lines;
  }
  std::string Finish() {
    std::string shown = Show();
    Error cancelled(ErrorCode::kCancelled, "no more");
    return shown + EventPlayer::Finish(layout_, {}, &cancelled).lines;
  }
  bool waiting() const { return layout_.patience() || trace().waiting(); }

 private:
  PlainLayout layout_;
};

TEST(PlainLayout, DrawsABuildAsItsUsersKnowIt) {
  Player play;
  play.Put(Notice{"building on tcp://builder:1234"});
  play.Begin("a", 0, "[internal] load build definition from Dockerfile");
  play.Status("a", "transferring dockerfile:", 0, 0, 0, 0);
  std::string out = play.Show();
  play.Status("a", "transferring dockerfile:", 154, 0, 0, 0.04, true).End("a", 0.05);
  out += play.Show();
  play.Begin("b", 1, "[1/2] FROM docker.io/library/busybox");
  play.Status("b", "sha256:aa", 2'000'000, 4'270'000, 1, 1.25);
  out += play.Show();
  play.Status("b", "sha256:aa", 4'270'000, 4'270'000, 1, 1.5, true).End("b", 2.26);
  play.Begin("c", 3, "[2/2] RUN make").Log("c", 3.1234, "cc a.c\ncc ").Log("c", 15.5, "b.c\n");
  play.End("c", 18);
  Vertex cached;
  cached.digest = "d";
  cached.name = "[stage 1/1] COPY . .";
  cached.cached = true;
  cached.started = cached.completed = play.At(3);
  play.Put(cached);
  out += play.Finish();
  EXPECT_EQ(out,
            "#0 building on tcp://builder:1234\n"
            "\n"
            "#1 [internal] load build definition from Dockerfile\n"
            "#1 transferring dockerfile:\n"
            "#1 transferring dockerfile: 154B 0.0s done\n"
            "#1 DONE 0.1s\n"
            "\n"
            "#2 [1/2] FROM docker.io/library/busybox\n"
            "#2 sha256:aa 2.00MB / 4.27MB 0.2s\n"
            "#2 sha256:aa 4.27MB / 4.27MB 0.5s done\n"
            "#2 DONE 1.3s\n"
            "\n"
            "#3 [2/2] RUN make\n"
            "#3 0.123 cc a.c\n"
            "#3 0.123 cc b.c\n"
            "#3 DONE 15.0s\n"
            "\n"
            "#4 [stage 1/1] COPY . .\n"
            "#4 CACHED\n"
            "\n"
            "#0 Build was cancelled after 0.4s\n"
            "#0     steps    4, of which 1 cached\n"
            "#0     slowest  15.0s [2/2] RUN make\n"
            "#0              1.3s [1/2] FROM docker.io/library/busybox\n");
}

TEST(PlainLayout, LeavesTheScreenToOneStepForAWhile) {
  Player play;
  play.Begin("a", 0, "RUN a").Begin("b", 0, "RUN b").Log("a", 0, "a1\n").Log("b", 0, "b1\n");
  EXPECT_EQ(play.Show(), "#1 RUN a\n#1 0.000 a1\n");
  play.Log("a", 1, "a2\n");
  EXPECT_EQ(play.Show(1s), "#1 1.000 a2\n");
  EXPECT_TRUE(play.waiting());
  play.Log("a", 5, "a3\n");
  EXPECT_EQ(play.Show(4s), "#1 5.000 a3\n#1 ...\n\n#2 RUN b\n#2 0.000 b1\n");
  play.Log("a", 6, "a4\n").Log("b", 6, "b2\n").End("b", 6);
  EXPECT_EQ(play.Show(), "#2 6.000 b2\n#2 DONE 6.0s\n\n#1 RUN a\n#1 6.000 a4\n");
}

TEST(PlainLayout, NoParallelStepWaitsLongerThanTwoSeconds) {
  Player play;
  play.Begin("a", 0, "RUN a").Begin("b", 0, "RUN b").Log("b", 0, "b1\n");
  for (int tenth = 0; tenth < 19; ++tenth) {
    play.Log("a", tenth / 10.0, "a\n");
    EXPECT_EQ(play.Show().find("RUN b"), std::string::npos);
  }
  play.Log("a", 2, "a\n");
  EXPECT_NE(play.Show(200ms).find("#2 RUN b\n#2 0.000 b1\n"), std::string::npos);
}

TEST(PlainLayout, CutsNamesWhenItIsToldTo) {
  EventPlayer play(false);
  PlainLayout layout(play.trace(), play.now(), false, 5);
  play.Begin("a", 0, "RUN \u00e9x");
  EXPECT_EQ(play.Draw(layout, {}, 100ms).lines, "#1 RUN ...\n");
}

TEST(PlainLayout, TwoReadersOfOneTraceSeeTheSame) {
  EventQueue queue;
  Trace trace(false);
  PlainLayout one(trace, {});
  PlainLayout two(trace, {});
  Vertex vertex;
  vertex.digest = "a";
  vertex.name = "RUN a";
  vertex.started = Timestamp(1s);
  queue.Emit(vertex);
  queue.Emit(VertexLog{"a", Timestamp(2s), 1, "hello\n"});
  Trace::Clock::time_point now{};
  TraceNews news = trace.Apply(queue.Take(), now);
  one.Take(news, now);
  two.Take(std::move(news), now);
  const std::string shown = one.Draw(now, {}).lines;
  EXPECT_EQ(shown, "#1 RUN a\n#1 1.000 hello\n");
  EXPECT_EQ(two.Draw(now, {}).lines, shown);
}

TEST(PlainLayout, GivesTheScreenAwayWhenTheStepOnItIsSilent) {
  Player play;
  play.Begin("a", 0, "RUN a").Begin("b", 0, "RUN b");
  EXPECT_EQ(play.Show(), "#1 RUN a\n");
  EXPECT_EQ(play.Show(500ms), "");
  EXPECT_EQ(play.Show(600ms), "#1 ...\n\n#2 RUN b\n");
}

TEST(PlainLayout, ShowsAnEndedStepAtOnce) {
  Player play;
  play.Begin("a", 0, "RUN a");
  EXPECT_EQ(play.Show(), "#1 RUN a\n");
  play.Begin("b", 0, "RUN b").End("b", 0.5).Log("a", 1, "a1\n");
  EXPECT_EQ(play.Show(), "#1 ...\n\n#2 RUN b\n#2 DONE 0.5s\n\n#1 RUN a\n#1 1.000 a1\n");
}

TEST(PlainLayout, SaysHowAStepEnded) {
  Player play;
  play.Begin("a", 0, "RUN a").End("a", 1, "process \"/bin/sh -c a\" failed: exit code: 1");
  play.Begin("b", 0, "RUN b").End("b", 1, "rpc: context canceled");
  EXPECT_EQ(play.Finish(),
            "#1 RUN a\n#1 ERROR: process \"/bin/sh -c a\" failed: exit code: 1\n"
            "\n#2 RUN b\n#2 CANCELED\n\n#0 Build was cancelled after 0.1s\n"
            "#0     steps    2, of which 0 cached\n#0     slowest  1.0s RUN a\n"
            "#0              1.0s RUN b\n------\n > RUN a:\n------\n");
  EXPECT_TRUE(play.trace().node(0).failed());
  EXPECT_FALSE(play.trace().node(1).failed());
}

TEST(PlainLayout, RepeatsAStatusOnlyForRealProgress) {
  Player play;
  play.Begin("a", 0, "pull").Status("a", "x", 0, 1000, 0, 0);
  EXPECT_EQ(play.Show(), "#1 pull\n#1 x 0B / 1.00kB\n");
  play.Status("a", "x", 49, 1000, 0, 1);
  EXPECT_EQ(play.Show(), "");
  play.Status("a", "x", 50, 1000, 0, 1);
  EXPECT_EQ(play.Show(), "#1 x 50B / 1.00kB 1.0s\n");
  play.Status("a", "x", 51, 1000, 0, 6);
  EXPECT_EQ(play.Show(5s), "#1 x 51B / 1.00kB 6.0s\n");
  play.Status("a", "x", 1000, 1000, 0, 7, true);
  EXPECT_EQ(play.Show(), "#1 x 1.00kB / 1.00kB 7.0s done\n");
  play.Status("a", "x", 1000, 1000, 0, 7, true);
  EXPECT_EQ(play.Show(), "");
}

TEST(PlainLayout, AddsUpTheRunsOfARestartedStep) {
  Player play;
  play.Begin("a", 0, "export").End("a", 1).Begin("a", 5).End("a", 7.5);
  EXPECT_EQ(play.Finish(), "#1 export\n#1 DONE 3.5s\n");
}

TEST(PlainLayout, ShowsAProgressGroupAsOneStep) {
  Player play;
  auto member = [&](const std::string& id, double from, std::optional<double> to, bool weak) {
    Vertex vertex;
    vertex.digest = id;
    vertex.name = "inner " + id;
    vertex.group_id = "g";
    vertex.group_name = "COPY --link . .";
    vertex.group_weak = weak;
    vertex.started = play.At(from);
    if (to) vertex.completed = play.At(*to);
    play.Put(vertex);
  };
  member("copy", 0, std::nullopt, true);
  EXPECT_EQ(play.Show(), "");
  member("merge", 1, std::nullopt, false);
  member("copy", 0, 2, true);
  EXPECT_EQ(play.Show(), "#1 COPY --link . .\n");
  member("merge", 1, 3, false);
  EXPECT_EQ(play.Show(), "#1 DONE 3.0s\n");
}

TEST(PlainLayout, NamesAndErrorsAreSafeAndCarryNoCredentials) {
  Player play;
  play.Begin("a", 0, "load https://me:geheim@host/x?private_token=geheim\x1b[2J\nfake #9");
  play.Status("a", "get https://t:geheim@h\r", 1, 0, 0, 0);
  play.End("a", 1, "fetch http://u:geheim@h: no\x1b]0;x\x07");
  play.Put(Notice{"using https://geheim@h"});
  std::string out = play.Finish();
  EXPECT_EQ(out,
            "#0 using https://xxxxx@h\n"
            "\n"
            "#1 load https://xxxxx:xxxxx@host/x?private_token=xxxxx fake #9\n"
            "#1 get https://xxxxx:xxxxx@h  1B\n"
            "#1 ERROR: fetch http://xxxxx:xxxxx@h: no?]0;x?\n"
            "------\n"
            " > load https://xxxxx:xxxxx@host/x?private_token=xxxxx fake #9:\n"
            "------\n");
}

TEST(PlainLayout, AnUnfinishedLineIsShownAfterAWhileAndAtTheEnd) {
  Player play;
  play.Begin("a", 0, "RUN a").Log("a", 0, "password: ").Log("a", 0, "warn", 2);
  EXPECT_EQ(play.Show(), "#1 RUN a\n");
  EXPECT_TRUE(play.waiting());
  EXPECT_EQ(play.Show(5s), "#1 0.000 password: \n#1 0.000 warn\n");
  EXPECT_FALSE(play.waiting());
  play.Log("a", 6, "last");
  EXPECT_EQ(play.Show(), "");
  play.End("a", 7);
  EXPECT_EQ(play.Show(), "#1 6.000 last\n#1 DONE 7.0s\n");
}

TEST(FailedSteps, ShowTheLastTenLines) {
  Player play;
  play.Begin("a", 0, "[2/2] RUN make");
  for (int i = 1; i <= 12; ++i)
    play.Log("a", i, "line " + std::to_string(i) + "\n");
  play.Log("a", 12.5, "exit").End("a", 13, "exit code: 2");
  play.Begin("b", 0, "RUN b").End("b", 13, "context canceled");
  play.Show();
  EXPECT_EQ(FailedSteps(play.trace()),
            "------\n"
            " > [2/2] RUN make:\n"
            "4.000 line 4\n5.000 line 5\n6.000 line 6\n7.000 line 7\n8.000 line 8\n9.000 line 9\n"
            "10.00 line 10\n11.00 line 11\n12.00 line 12\n12.50 exit\n"
            "------\n");
}

TEST(FailedSteps, ShowOnceWhatFailedInTheSameWordsAgain) {
  Player play;
  for (const char* digest : {"a", "b", "c"})
    play.Begin(digest, 0, "exporting to image").End(digest, 1, "failed to push r/a");
  play.Begin("d", 2, "RUN x").Log("d", 3, "one").End("d", 4, "exit code: 1");
  play.Begin("e", 5, "RUN x").Log("e", 6, "two").End("e", 7, "exit code: 1");
  play.Show();
  EXPECT_EQ(FailedSteps(play.trace()),
            "------\n > exporting to image:\n------\n"
            "------\n > RUN x:\n1.000 one\n------\n"
            "------\n > RUN x:\n1.000 two\n------\n");
}

VertexWarning WarningAt(const std::string& text, int line) {
  return {"a", 1, text, {}, "", "Dockerfile", "", {{line, line}}};
}

TEST(Summary, SaysWhatMovedWhatWasPushedAndWhereTheWarningsAre) {
  Player play;
  play.Begin("a", 0, "[internal] load build context");
  play.Status("a", "transferring context: ", 2'500'000, 0, 0, 0.1, true).End("a", 0.2);
  play.Put(WarningAt("later", 12)).Put(WarningAt("earlier", 3)).Put(WarningAt("same", 3));
  play.Begin("e", 1, "exporting to client").Status("e", "copying files", 1'000, 0, 1, 1, true);
  play.End("e", 1.5).Begin("l", 2, "importing to docker");
  play.Status("l", "layer 0123", 3'000, 3'000, 2, 2, true);
  play.Status("l", "layer 4567 is there already", 0, 0, 2, 2, true).End("l", 2.1);
  const std::string digest = "@sha256:0123";
  play.Begin("p", 3, "exporting to image");
  play.Status("p", "pushing manifest for host/app:1" + digest, 0, 0, 3, 3, true);
  play.Status("p", "pushing manifest for host/app:2" + digest, 0, 0, 3, 3).End("p", 3.1);
  play.Show();
  EXPECT_EQ(Summary(play.trace()),
            "    steps    4, of which 0 cached\n"
            "    context  2.50MB\n"
            "    result   1.00kB\n"
            "    load     3.00kB\n"
            "    pushed   host/app:1@sha256:0123\n"
            "    warnings Dockerfile:3,12\n");
  // What the builder pushed are parts of it.
  play.Begin("i", 4, "pushing the image index of 2 builders");
  play.Status("i", "pushed host/app:1@sha256:4567", 0, 0, 4, 4, true).End("i", 4.1);
  play.Show();
  const std::string joined = Summary(play.trace());
  EXPECT_NE(joined.find("    pushed   host/app:1@sha256:4567\n"), std::string::npos) << joined;
  EXPECT_EQ(joined.find("0123"), std::string::npos) << joined;
}

TEST(Summary, CountsATransferThatSeveralTargetsReportOnce) {
  Player play;
  play.Begin("a@one", 0, "load").Status("a@one", "transferring context: ", 1'000, 0, 0, 0.1);
  play.Begin("a@two", 0, "load").Status("a@two", "transferring context: ", 2'000, 0, 0, 0.2, true);
  play.Begin("b@two", 1, "load").Status("b@two", "transferring context: ", 500, 0, 1, 1.2, true);
  play.Show();
  EXPECT_NE(Summary(play.trace()).find("    context  2.50kB\n"), std::string::npos)
      << Summary(play.trace());
}

TEST(Summary, CountsAStepOfABuildThatIsTriedAgainOnce) {
  Player play;
  for (const std::string attempt : {"1", "2", "3"}) {
    play.Begin("run" + attempt, 0, "[2/2] RUN make");
    Vertex run;
    run.digest = "run" + attempt;
    run.name = "[2/2] RUN make";
    run.started = run.completed = play.At(1);
    run.cached = attempt != "1";
    play.Put(run);
    Vertex base = run;
    base.digest = "base" + attempt;
    base.name = "[1/2] FROM base";
    base.cached = true;
    play.Put(base);
    play.Begin("push" + attempt, 1, "exporting to image").End("push" + attempt, 2, "refused");
  }
  play.Show();
  EXPECT_NE(Summary(play.trace()).find("    steps    3, of which 1 cached\n"), std::string::npos)
      << Summary(play.trace());
}

TEST(Summary, OfManyTheFirstAreNamed) {
  Player play;
  play.Begin("a", 0, "one").Begin("b", 0, "exporting to image");
  for (int i = 0; i < 13; ++i)
    play.Status("b", "pushing manifest for host/a:" + std::to_string(i), 0, 0, 0, 0, true);
  for (int line = 1; line <= 12; ++line)
    play.Put(WarningAt("a warning " + std::to_string(line), line));
  play.End("b", 0.5);
  play.Show();
  const std::string summary = Summary(play.trace());
  EXPECT_NE(summary.find("host/a:9\n             and 3 more\n"), std::string::npos) << summary;
  EXPECT_NE(summary.find("Dockerfile:1,2,3,4,5,6,7,8,9,10,...\n"), std::string::npos) << summary;
}

TEST(WarningSummary, ListsEachWarningOnce) {
  Player play;
  play.Begin("a", 0, "lint");
  VertexWarning warning{"a",
                        1,
                        "FromAsCasing: 'as' and 'FROM' (line 1)",
                        {"More text"},
                        "https://docs/x",
                        "Dockerfile",
                        "from a as b\n",
                        {{1, 1}}};
  play.Put(warning).Put(warning);
  warning.vertex = "other";
  play.Put(warning);
  EXPECT_EQ(play.Show(),
            "#1 lint\n#1 WARN: FromAsCasing: 'as' and 'FROM' (line 1)\n"
            "#1 WARN: FromAsCasing: 'as' and 'FROM' (line 1)\n");
  EXPECT_EQ(WarningSummary(play.trace(), false),
            "\n 1 warning found (use docker --debug to expand):\n"
            " - FromAsCasing: 'as' and 'FROM' (line 1)\n");
  EXPECT_EQ(WarningSummary(play.trace(), true),
            "\n 1 warning found:\n"
            " - FromAsCasing: 'as' and 'FROM' (line 1)\n"
            "More text\n"
            "More info: https://docs/x\n"
            "Dockerfile:1\n"
            "--------------------\n"
            "   1 | >>> from a as b\n"
            "--------------------\n"
            "\n");
}

}  // namespace
}  // namespace depot::plain_layout_test
