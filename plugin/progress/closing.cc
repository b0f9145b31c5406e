#include "plugin/progress/closing.h"

#include <algorithm>
#include <vector>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/event/excerpt.h"
#include "plugin/progress/columns.h"
#include "plugin/progress/figures.h"

namespace depot {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kSlowest = 3;
constexpr std::size_t kClosingName = 60;
/// Steps that took less are not called slow.
constexpr Elapsed kSlow = 1s;
constexpr std::string_view kRule = "------\n";

std::string Safe(std::string_view text) {
  return Printable(RedactUrls(text));
}

}  // namespace

std::string FailedSteps(const Trace& trace) {
  std::string out;
  for (std::size_t i = 0; i < trace.size(); ++i) {
    const TraceNode& node = trace.node(i);
    if (!node.failed()) continue;
    out += Cat(kRule, " > ", node.name, ":\n");
    for (const std::string& line : node.tail)
      out += Cat(line, '\n');
    out += kRule;
  }
  return out;
}

bool IsResult(const TraceStatus& status) {
  return status.id.starts_with("naming to ") || status.id.starts_with("pushing manifest for ") ||
         status.id.starts_with("writing image ");
}

std::string Summary(const Trace& trace) {
  std::size_t steps = 0;
  std::size_t cached = 0;
  std::int64_t context = 0;
  std::vector<const TraceNode*> slowest;
  for (std::size_t i = 0; i < trace.size(); ++i) {
    const TraceNode& node = trace.node(i);
    if (node.hidden || !node.started) continue;
    ++steps;
    if (node.cached && node.completed) ++cached;
    if (node.elapsed >= kSlow) slowest.push_back(&node);
    for (const TraceStatus& status : node.statuses) {
      if (status.id.starts_with("transferring context")) context += status.current;
    }
  }
  if (steps < 2) return "";
  std::string out = Cat("    steps    ", steps, ", of which ", cached, " cached\n");
  const auto count = static_cast<std::ptrdiff_t>(std::min(slowest.size(), kSlowest));
  std::partial_sort(slowest.begin(), slowest.begin() + count, slowest.end(),
                    [](const TraceNode* a, const TraceNode* b) { return a->elapsed > b->elapsed; });
  for (std::ptrdiff_t i = 0; i < count; ++i) {
    const TraceNode& node = *slowest[static_cast<std::size_t>(i)];
    out += Cat(i == 0 ? "    slowest  " : "             ", ShownTime(node.elapsed), ' ',
               FitColumns(node.name, kClosingName), '\n');
  }
  if (context > 0) out += Cat("    context  ", ShownBytes(context), '\n');
  return out;
}

std::string WarningSummary(const Trace& trace, bool expand) {
  const std::vector<VertexWarning>& warnings = trace.warnings();
  if (warnings.empty()) return "";
  std::string out = Cat("\n ", warnings.size(), warnings.size() == 1 ? " warning" : " warnings",
                        " found", expand ? "" : " (use docker --debug to expand)", ":\n");
  for (const VertexWarning& warning : warnings) {
    out += Cat(" - ", Safe(warning.short_text), '\n');
    if (!expand) continue;
    for (const std::string& line : warning.detail)
      out += Cat(Safe(line), '\n');
    if (!warning.url.empty()) out += Cat("More info: ", Safe(warning.url), '\n');
    out += SourceExcerpt(warning.filename, warning.source, warning.ranges);
    out += '\n';
  }
  return out;
}

}  // namespace depot
