// Status messages of a builder on their way to the screen: what is printed are whole lines without
// anything that could move the cursor, rewrite a line or reorder text; what is live fits into its
// row; and a GitLab log has no sections but ours.

#include <algorithm>

#include "driver/base/columns.h"
#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/solve/wire.h"
#include "plugin/progress/gitlab_layout.h"
#include "plugin/progress/plain_layout.h"
#include "plugin/progress/tty_layout.h"
#include "tests/fuzz/pieces.h"

namespace {

using depot::fuzz::Expect;

depot::Style Colourless() {
  depot::Style style;
  style.colours = {"", "", "", "", "", ""};
  return style;
}

void CheckLines(const std::string& text) {
  Expect(text.empty() || text.back() == '\n');
  for (std::string_view line : depot::Split(text, '\n'))
    Expect(depot::Printable(line) == line);
}

void CheckFrame(const depot::Frame& frame, depot::ScreenSize size) {
  CheckLines(frame.lines);
  Expect(frame.live.size() < std::max<std::size_t>(size.rows, 1));
  for (const std::string& line : frame.live) {
    Expect(depot::Printable(line) == line);
    Expect(depot::Columns(line) < std::max<std::size_t>(size.columns, 1));
  }
}

/// Without the marks of our sections, which alone have a CR, it is lines like all others.
void CheckLog(std::string text) {
  constexpr std::string_view kMark = "\x1b[0Ksection_";
  constexpr std::string_view kMarkEnd = "\r\x1b[0K";
  for (std::size_t at = 0; (at = text.find(kMark, at)) != std::string::npos;) {
    const std::size_t end = text.find(kMarkEnd, at);
    Expect(end != std::string::npos);
    Expect(text.substr(at, end - at).find(":depot_") != std::string::npos);
    text.erase(at, end + kMarkEnd.size() - at);
  }
  Expect(text.find("section_start:") == std::string::npos);
  Expect(text.find("section_end:") == std::string::npos);
  CheckLines(text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  depot::EventQueue queue;
  depot::Trace trace(false);
  depot::Trace::Clock::time_point now{};
  depot::PlainLayout plain(trace, now, true);
  depot::TtyLayout tty(trace, Colourless(), "builder", true, now);
  depot::GitlabLayout gitlab(trace, Colourless(), true, now, 0);
  const std::size_t columns = size == 0 ? 80 : data[0];
  const depot::ScreenSize screen{columns, columns / 3};
  depot::fuzz::Pieces pieces(data, size);
  while (std::optional<std::string_view> piece = pieces.Next()) {
    (void)depot::solve::EmitStatus(*piece, queue);
    depot::TraceNews news = trace.Apply(queue.Take(), now);
    plain.Take(news, now);
    tty.Take(news, now);
    gitlab.Take(std::move(news), now);
    CheckFrame(plain.Draw(now, screen), screen);
    CheckFrame(tty.Draw(now, screen), screen);
    CheckLog(gitlab.Draw(now, screen).lines);
    now += std::chrono::milliseconds(700);
  }
  const depot::Error error(depot::ErrorCode::kFailed, "failed");
  const depot::TraceNews news = trace.End();
  for (depot::Layout* layout :
       {static_cast<depot::Layout*>(&plain), static_cast<depot::Layout*>(&tty)}) {
    layout->Take(news, now);
    CheckFrame(layout->Finish(now, screen, &error), screen);
  }
  gitlab.Take(news, now);
  CheckLog(gitlab.Finish(now, screen, &error).lines);
  return 0;
}
