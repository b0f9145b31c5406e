#include "plugin/report/timeline_page.h"

#include <algorithm>
#include <map>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "plugin/progress/figures.h"

namespace depot::report {
namespace {

using namespace std::chrono_literals;

/// No script, and nothing from elsewhere: a page of strangers' words does nothing but show them.
constexpr std::string_view kHead = R"(<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width">
<style>
body{font:14px/1.4 system-ui,sans-serif;margin:2em;color:#222;background:#fff}
h1{font-size:1.3em;margin:0 0 .2em}h2{font-size:1.05em;margin:1.4em 0 .3em}
.ok{color:#1a7f37}.bad{color:#b42318}
details,.row{border-top:1px solid #eee}
summary,.row{display:grid;grid-template-columns:minmax(12em,40%) 1fr 6em;gap:1em;align-items:center;padding:.2em 0;list-style:none}
summary{cursor:pointer}summary::-webkit-details-marker{display:none}
.name{overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.track{position:relative;height:1em;background:#f5f5f5}
.bar{position:absolute;top:0;bottom:0;min-width:2px;background:#2f6fde}
.cached .bar{background:#9bb8e8}.failed .bar{background:#d92d20}.cancelled .bar{background:#e2a400}
.time{text-align:right;font-variant-numeric:tabular-nums;color:#555}
pre{margin:.2em 0 .6em 1em;padding:.5em;background:#f8f8f8;overflow:auto;font-size:12px}
.bytes{margin:.2em 0 .2em 1em;color:#555}
@media (prefers-color-scheme:dark){body{color:#ddd;background:#1b1b1b}.track,pre{background:#2a2a2a}details,.row{border-color:#333}.time,.bytes{color:#aaa}}
</style>
)";

struct Span {
  Timestamp begin{};
  Timestamp end{};
};

Timestamp EndOf(const TimelineStep::Run& run, Timestamp now) {
  return std::max(run.start, run.end == Timestamp() ? now : run.end);
}

Span SpanOf(const TimelineFacts& facts) {
  Span span{facts.end, facts.end};
  for (const TimelineStep* step : facts.steps) {
    for (const TimelineStep::Run& run : step->runs) {
      span.begin = std::min(span.begin, run.start);
      span.end = std::max(span.end, EndOf(run, facts.end));
    }
  }
  return span;
}

/// A length as CSS writes it, of the whole; "12.34%".
std::string Percent(std::chrono::nanoseconds part, std::chrono::nanoseconds whole) {
  constexpr std::int64_t kScale = 10000;
  const double share =
      whole > 0ns ? static_cast<double>(part.count()) / static_cast<double>(whole.count()) : 0.0;
  const auto hundredths =
      static_cast<std::int64_t>(std::clamp(share, 0.0, 1.0) * static_cast<double>(kScale));
  const std::int64_t rest = hundredths % 100;
  return Cat(hundredths / 100, rest < 10 ? ".0" : ".", rest, '%');
}

std::string_view KindOf(const TimelineStep& step) {
  if (step.error.ends_with("context canceled")) return "cancelled";
  if (!step.error.empty()) return "failed";
  return step.cached ? "cached" : "done";
}

std::string Bars(const TimelineStep& step, const Span& span, Timestamp now) {
  std::string out = R"(<span class="track">)";
  for (const TimelineStep::Run& run : step.runs) {
    out += Cat(
        R"(<span class="bar" style="left:)", Percent(run.start - span.begin, span.end - span.begin),
        ";width:", Percent(EndOf(run, now) - run.start, span.end - span.begin), R"("></span>)");
  }
  return out + "</span>";
}

std::string More(const TimelineStep& step) {
  std::string out;
  for (const auto& [what, count] : step.bytes) {
    out +=
        Cat(R"(<p class="bytes">)", EscapeHtml(RedactUrls(what)), ' ', ShownBytes(count), "</p>\n");
  }
  if (!step.error.empty()) {
    out += Cat(R"(<p class="bytes bad">)", EscapeHtml(RedactUrls(step.error)), "</p>\n");
  }
  if (step.tail.empty()) return out;
  out += "<pre>";
  for (const std::string& line : step.tail)
    out += Cat(EscapeHtml(line), '\n');
  return out + "</pre>\n";
}

std::string Row(const TimelineStep& step, const Span& span, Timestamp now) {
  std::chrono::nanoseconds ran{0};
  for (const TimelineStep::Run& run : step.runs)
    ran += EndOf(run, now) - run.start;
  const std::string_view kind = KindOf(step);
  const std::string name = EscapeHtml(RedactUrls(step.name));
  const std::string cells =
      Cat(R"(<span class="name" title=")", name, R"(">)", name, "</span>", Bars(step, span, now),
          R"(<span class="time">)", kind == "cached" ? "cached" : ShownTime(ran), "</span>");
  const std::string more = More(step);
  if (more.empty()) return Cat(R"(<div class="row )", kind, R"(">)", cells, "</div>\n");
  return Cat(R"(<details class=")", kind,
             kind == "failed" ? R"(" open><summary>)" : R"("><summary>)", cells, "</summary>\n",
             more, "</details>\n");
}

std::string Heading(const TimelineFacts& facts, const Span& span) {
  const bool failed = !facts.error.empty();
  const auto cached = std::count_if(facts.steps.begin(), facts.steps.end(),
                                    [](const TimelineStep* step) { return step->cached; });
  std::string out = Cat("<title>", EscapeHtml(facts.title), "</title></head>\n<body>\n<h1>",
                        EscapeHtml(facts.title), "</h1>\n<p class=\"", failed ? "bad" : "ok", "\">",
                        failed ? "failed" : "finished", " after ", ShownTime(span.end - span.begin),
                        "; ", facts.steps.size(), " steps, ", cached, " of them cached</p>\n");
  if (failed) out += Cat(R"(<p class="bad">)", EscapeHtml(facts.error), "</p>\n");
  if (facts.left_out > 0) out += Cat("<p>", facts.left_out, " more steps are not shown</p>\n");
  return out;
}

}  // namespace

std::string EscapeHtml(std::string_view text) {
  std::string out;
  for (char c : Printable(text)) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string PlatformIn(std::string_view name) {
  if (!name.starts_with('[')) return "";
  for (std::string_view word : Split(name.substr(1, name.find(']') - 1), ' ')) {
    for (std::string_view system : {"linux/", "windows/", "darwin/", "freebsd/"}) {
      if (word.starts_with(system) && word.size() > system.size()) return Printable(word);
    }
  }
  return "";
}

std::string TimelinePage(const TimelineFacts& facts) {
  const Span span = SpanOf(facts);
  std::map<std::string, std::vector<const TimelineStep*>> platforms;
  for (const TimelineStep* step : facts.steps)
    platforms[PlatformIn(step->name)].push_back(step);
  std::string out = Cat(kHead, Heading(facts, span));
  for (auto& [platform, steps] : platforms) {
    std::stable_sort(steps.begin(), steps.end(), [](const auto* one, const auto* other) {
      return one->runs.front().start < other->runs.front().start;
    });
    if (!platform.empty()) out += Cat("<h2>", EscapeHtml(platform), "</h2>\n");
    for (const TimelineStep* step : steps)
      out += Row(*step, span, facts.end);
  }
  return out + "</body></html>\n";
}

}  // namespace depot::report
