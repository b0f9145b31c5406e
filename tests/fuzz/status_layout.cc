// Status messages of a builder on their way to the screen: what is printed are whole lines without
// anything that could move the cursor, rewrite a line or reorder text.

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/solve/wire.h"
#include "plugin/progress/layout.h"
#include "tests/fuzz/pieces.h"

namespace {

void Check(const std::string& text) {
  depot::fuzz::Expect(text.empty() || text.back() == '\n');
  for (std::string_view line : depot::Split(text, '\n'))
    depot::fuzz::Expect(depot::Printable(line) == line);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  depot::EventQueue queue;
  depot::Trace trace(false);
  depot::PlainLayout layout(trace);
  depot::PlainLayout::Clock::time_point now{};
  depot::fuzz::Pieces pieces(data, size);
  while (std::optional<std::string_view> piece = pieces.Next()) {
    (void)depot::solve::EmitStatus(*piece, queue);
    trace.Apply(queue.Take());
    Check(layout.Update(now));
    now += std::chrono::milliseconds(700);
  }
  Check(layout.Finish(now));
  Check(depot::FailedSteps(trace));
  Check(depot::WarningSummary(trace, true));
  return 0;
}
