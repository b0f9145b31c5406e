#include "pool/service/board_page.h"

#include "driver/base/text.h"

namespace depot::service {
namespace {

constexpr std::string_view kStart = R"(<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<title>depot-pool</title>
)";

constexpr std::string_view kStyle = R"(
:root{color-scheme:light dark;--ink:#222;--soft:#666;--paper:#fff;--line:#e5e5e5;--track:#f3f3f3;
--run:#2f6fde;--wait:#c9a227;--good:#1a7f37;--bad:#b42318}
@media (prefers-color-scheme:dark){:root{--ink:#ddd;--soft:#aaa;--paper:#1b1b1b;--line:#383838;--track:#2a2a2a;
--run:#6ea0f5;--wait:#e0bd4a;--good:#56c271;--bad:#f2786d}}
*{box-sizing:border-box}
body{font:14px/1.45 system-ui,sans-serif;margin:0 auto;padding:1em;max-width:76em;color:var(--ink);background:var(--paper)}
header{display:flex;gap:1em;align-items:baseline;flex-wrap:wrap}header form{margin-left:auto}
h1{font-size:1.3em;margin:0}h2{font-size:1.05em;margin:1.6em 0 .3em}
button,input{font:inherit;padding:.4em .7em;max-width:100%}
.row{display:grid;gap:.1em 1em;padding:.35em 0;border-top:1px solid var(--line);align-items:center}
.row>*{min-width:0;overflow-wrap:anywhere}
.builder{grid-template-columns:minmax(10em,2fr) 6em 6em 3fr}
.wait{grid-template-columns:7em 3em minmax(8em,1fr) 6em 2fr}
.build{grid-template-columns:minmax(9em,30%) 1fr 7em}
.soft{color:var(--soft)}.num{font-variant-numeric:tabular-nums}
.up,.succeeded{color:var(--good)}.down,.failed,.lost,.error{color:var(--bad)}.draining,.canceled{color:var(--wait)}
.track{position:relative;height:1.1em;background:var(--track);overflow:hidden}
.bar{position:absolute;top:0;bottom:0;min-width:3px;background:var(--run)}
.bar.good{background:var(--good)}.bar.bad{background:var(--bad)}.bar.queue{background:var(--wait)}
.axis{display:flex;justify-content:space-between;margin-left:calc(30% + 1em);margin-right:8em;font-size:12px}
@media (max-width:40em){.builder,.wait,.build{grid-template-columns:1fr auto}.wide{grid-column:1/-1}.axis{margin:0}}
)";

constexpr std::string_view kBoard =
    R"(<header><h1>depot-pool</h1><span id="state" class="soft">loading</span>
<form method="post" action="sign-out"><button>Sign out</button></form></header>
<h2>Builders</h2><div id="builders"></div>
<h2>Queue</h2><div id="queue"></div>
<h2>Builds of the last day</h2><div id="axis" class="axis soft num"></div><div id="builds"></div>
<noscript>This page needs its script.</noscript>
)";

constexpr std::string_view kScript = R"js("use strict";
const at = id => document.getElementById(id);
// Everything that is shown goes through here, as text.
function cell(text, classes, title) {
  const made = document.createElement("span");
  made.textContent = text;
  if (classes) made.className = classes;
  if (title) made.title = title;
  return made;
}
function row(kind, cells) {
  const made = document.createElement("div");
  made.className = "row " + kind;
  made.append(...cells);
  return made;
}
function fill(id, rows, none, left) {
  if (!rows.length) rows = [cell(none, "soft")];
  if (left > 0) rows.push(cell(left + " more are not shown", "soft"));
  at(id).replaceChildren(...rows);
}
function span(seconds) {
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return s + " s";
  if (s < 3600) return Math.floor(s / 60) + " min " + s % 60 + " s";
  return Math.floor(s / 3600) + " h " + Math.floor(s % 3600 / 60) + " min";
}
function builder(one) {
  let cache = one.projects.length ? "only for " + one.projects.join(", ") + ". " : one.limited ? "only for other projects. " : "";
  if (one.homes.length) cache += "cache of " + one.homes.join(", ");
  if (one.more_homes > 0) cache += " and " + one.more_homes + " more";
  const health = one.health || "not reached yet";
  return row("builder", [cell(one.name, "", "cache " + one.cache), cell(health, one.health),
    cell(one.in_use + " of " + one.slots, "num"), cell([cache, one.why].filter(Boolean).join("; "), "soft wide")]);
}
function waiting(one) {
  return row("wait", [cell(one.platform), cell("#" + one.position, "num"),
    cell([one.project, one.image].filter(Boolean).join(" "), "", one.build),
    cell(span(one.waited), "num"), cell(one.reason, "soft wide")]);
}
// What the timeline spans, in seconds up to now: as long as the oldest build that is shown is old.
let width = 600;
function bar(track, now, from, to, kind, title) {
  const made = cell("", "bar " + kind, title);
  const begin = Math.max(0, from - (now - width)), end = Math.min(width, to - (now - width));
  made.style.left = "min(" + begin / width * 100 + "%, 100% - 3px)";
  made.style.width = Math.max(0, end - begin) / width * 100 + "%";
  track.append(made);
}
function build(one, now) {
  const end = one.finished || now, kind = one.state === "running" ? "" : one.state === "succeeded" ? "good" : "bad";
  const track = cell("", "track wide");
  bar(track, now, one.created, end, kind, one.state);
  const said = [one.build];
  for (const machine of one.machines) {
    const until = machine.granted || end;
    if (until > machine.asked) bar(track, now, machine.asked, until, "queue", "waited for " + machine.platform);
    said.push(machine.platform + ": " + (machine.builder || "no builder yet"));
  }
  if (one.error) said.push(one.error);
  return row("build", [cell([one.project, one.image].filter(Boolean).join(" "), "", said.join("\n")), track,
    cell(span(end - one.created) + " " + one.state, "num " + one.state)]);
}
function axis(now) {
  const marks = [];
  for (let back = 4; back >= 0; back--)
    marks.push(cell(new Date((now - back * width / 4) * 1000).toLocaleTimeString([], {hour: "2-digit", minute: "2-digit"})));
  at("axis").replaceChildren(...marks);
}
function show(fleet) {
  fill("builders", fleet.builders.map(builder), "no builder is known", fleet.more_builders);
  fill("queue", fleet.queue.map(waiting), "nobody waits", fleet.more_queue);
  width = Math.max(600, ...fleet.builds.map(one => fleet.now - one.created));
  axis(fleet.now);
  fill("builds", fleet.builds.map(one => build(one, fleet.now)), "none", fleet.more_builds);
  at("state").textContent = fleet.who + ", " + new Date(fleet.now * 1000).toLocaleTimeString();
  at("state").className = "soft";
}
async function poll() {
  if (!document.hidden) {
    try {
      const answer = await fetch("fleet.json", {cache: "no-store"});
      if (answer.status === 401) return location.reload();
      if (!answer.ok) throw new Error("it answered " + answer.status);
      show(await answer.json());
    } catch (problem) {
      at("state").textContent = "The pool does not answer (" + problem.message + "); what is shown is old.";
      at("state").className = "error";
    }
  }
  setTimeout(poll, 5000);
}
poll();
)js";

std::string Whole(std::string_view nonce, std::string_view body) {
  return Cat(kStart, "<style nonce=\"", nonce, "\">", kStyle, "</style></head>\n<body>\n", body,
             "</body></html>\n");
}

}  // namespace

std::string SignInPage(std::string_view nonce, std::string_view said) {
  return Whole(nonce, Cat("<h1>depot-pool</h1>\n<p class=\"error\">", said,
                          "</p>\n<form method=\"post\" action=\"/\"><label>A token of a project or "
                          "a user<br><input type=\"password\" name=\"token\" required "
                          "autocomplete=\"off\"></label> <button>Sign in</button></form>\n"));
}

std::string BoardPage(std::string_view nonce) {
  return Whole(nonce, Cat(kBoard, "<script nonce=\"", nonce, "\">", kScript, "</script>\n"));
}

std::string PagePolicy(std::string_view nonce) {
  return Cat("default-src 'none'; script-src 'nonce-", nonce, "'; style-src 'nonce-", nonce,
             "'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'");
}

}  // namespace depot::service
