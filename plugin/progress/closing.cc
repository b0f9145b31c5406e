#include "plugin/progress/closing.h"

#include <algorithm>
#include <map>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "driver/base/columns.h"
#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/event/excerpt.h"
#include "plugin/progress/figures.h"

namespace depot {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kSlowest = 3;
constexpr std::size_t kClosingName = 60;
/// Steps that took less are not called slow.
constexpr Elapsed kSlow = 1s;
constexpr std::string_view kRule = "------\n";
/// Of one kind in the summary.
constexpr std::size_t kMostRows = 10;
constexpr std::size_t kHeading = 9;
/// In front of a name and its digest: by the builder, and from here.
constexpr std::string_view kPushing = "pushing manifest for ";
constexpr std::string_view kPushed = "pushed ";

std::string Safe(std::string_view text) {
  return Printable(RedactUrls(text));
}

/// What became of the build's bytes.
struct Results {
  /// By what is transferred and since when: targets that share a transfer report it each.
  std::map<std::pair<std::string_view, std::optional<Timestamp>>, std::int64_t> contexts;
  std::int64_t received = 0;  ///< of files and archives
  std::int64_t loaded = 0;    ///< of layers, by the Engine
  std::vector<std::string> pushed;
  std::vector<std::string>
      pushed_here;  ///< tags written from here: what the builder pushed are parts
};

/// The ids are BuildKit's (exporter/containerimage, session/filesync), the Engine's layers and
/// kPushed our own.
void Count(const TraceStatus& status, const TraceNode& node, Results& results) {
  const std::string_view id = status.id;
  if (id.starts_with("transferring context")) {
    std::int64_t& bytes = results.contexts[{id, status.started}];
    bytes = std::max(bytes, status.current);
  }
  if (id.starts_with("copying files") || id == "sending tarball") {
    results.received += status.current;
  }
  if (id.starts_with("layer ") && node.name == "importing to docker") {
    results.loaded += status.current;
  }
  std::vector<std::string>* list = nullptr;
  std::string_view name;
  for (auto [start, target] :
       {std::pair(kPushing, &results.pushed), std::pair(kPushed, &results.pushed_here)}) {
    if (!id.starts_with(start)) continue;
    list = target;
    name = id.substr(start.size());
  }
  if (list == nullptr || !status.done || node.failed()) return;
  if (std::find(list->begin(), list->end(), name) == list->end()) list->emplace_back(name);
}

/// A row of the summary for each text; of many the first.
std::string Rows(std::string_view heading, const std::vector<std::string>& texts) {
  std::string out;
  for (std::size_t i = 0; i < std::min(texts.size(), kMostRows); ++i) {
    std::string label(i == 0 ? heading : "");
    label.resize(kHeading, ' ');
    out += Cat("    ", label, texts[i], '\n');
  }
  if (texts.size() > kMostRows) {
    out += Cat(std::string(4 + kHeading, ' '), "and ", texts.size() - kMostRows, " more\n");
  }
  return out;
}

std::string Moved(std::string_view heading, std::int64_t bytes) {
  return bytes > 0 ? Rows(heading, {ShownBytes(bytes)}) : "";
}

std::vector<std::string> Slowest(std::vector<const TraceNode*> nodes) {
  const auto count = static_cast<std::ptrdiff_t>(std::min(nodes.size(), kSlowest));
  std::partial_sort(nodes.begin(), nodes.begin() + count, nodes.end(),
                    [](const TraceNode* a, const TraceNode* b) { return a->elapsed > b->elapsed; });
  std::vector<std::string> texts;
  for (std::ptrdiff_t i = 0; i < count; ++i) {
    const TraceNode& node = *nodes[static_cast<std::size_t>(i)];
    texts.push_back(Cat(ShownTime(node.elapsed), ' ', FitColumns(node.name, kClosingName)));
  }
  return texts;
}

/// Where the warnings are, as FILE:LINE,LINE in one row for each file.
std::vector<std::string> WarnedLines(const Trace& trace) {
  std::map<std::string, std::set<int>> lines;
  for (const VertexWarning& warning : trace.warnings()) {
    if (warning.ranges.empty() || warning.ranges.front().start_line <= 0) continue;
    lines[Safe(warning.filename)].insert(warning.ranges.front().start_line);
  }
  std::vector<std::string> texts;
  for (const auto& [file, numbers] : lines) {
    std::string text = Cat(file, ':');
    std::size_t shown = 0;
    for (int number : numbers) {
      if (++shown > kMostRows) break;
      text += Cat(shown == 1 ? "" : ",", number);
    }
    texts.push_back(numbers.size() > kMostRows ? Cat(text, ",...") : text);
  }
  return texts;
}

}  // namespace

std::string FailedSteps(const Trace& trace) {
  std::string out;
  // A build that is tried again fails in the same step again, and often in the same words.
  std::set<std::string> shown;
  for (std::size_t i = 0; i < trace.size(); ++i) {
    const TraceNode& node = trace.node(i);
    if (!node.failed()) continue;
    std::string block = Cat(kRule, " > ", node.name, ":\n");
    for (const std::string& line : node.tail)
      block += Cat(line, '\n');
    block += kRule;
    if (shown.insert(block).second) out += block;
  }
  return out;
}

bool IsResult(const TraceStatus& status) {
  return status.id.starts_with("naming to ") || status.id.starts_with(kPushing) ||
         status.id.starts_with("writing image ") || status.id.starts_with(kPushed);
}

std::string HowLong(const Error* error, Elapsed took) {
  const bool cancelled = error != nullptr && error->code() == ErrorCode::kCancelled;
  std::string_view how = cancelled ? "was cancelled" : error != nullptr ? "failed" : "finished";
  return Cat("Build ", how, " after ", ShownTime(took));
}

std::string Summary(const Trace& trace) {
  // By name: a build that is tried again, for its push or its builder, has the same steps again,
  // and finds in the cache what it ran before.
  std::map<std::string_view, bool> cached_always;
  std::size_t seen = 0;
  std::vector<const TraceNode*> slowest;
  Results results;
  for (std::size_t i = 0; i < trace.size(); ++i) {
    const TraceNode& node = trace.node(i);
    if (node.hidden || !node.started) continue;
    ++seen;
    const bool from_cache = node.cached && node.completed;
    bool& always = cached_always.try_emplace(node.name, true).first->second;
    always = always && from_cache;
    if (node.elapsed >= kSlow) slowest.push_back(&node);
    for (const TraceStatus& status : node.statuses)
      Count(status, node, results);
  }
  if (seen < 2) return "";
  const auto cached = std::count_if(cached_always.begin(), cached_always.end(),
                                    [](const auto& step) { return step.second; });
  std::int64_t context = 0;
  for (const auto& [transfer, bytes] : results.contexts)
    context += bytes;
  return Cat("    steps    ", cached_always.size(), ", of which ", cached, " cached\n",
             Rows("slowest", Slowest(std::move(slowest))), Moved("context", context),
             Moved("result", results.received), Moved("load", results.loaded),
             Rows("pushed", results.pushed_here.empty() ? results.pushed : results.pushed_here),
             Rows("warnings", WarnedLines(trace)));
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
