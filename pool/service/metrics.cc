#include "pool/service/metrics.h"

#include <algorithm>
#include <functional>
#include <string_view>
#include <vector>

#include "driver/base/text.h"

namespace depot::service {
namespace {

using records::State;
using Labels = std::vector<std::pair<std::string_view, std::string>>;

std::string Escape(const std::string& value) {
  std::string out;
  for (char c : value) {
    if (c == '\\' || c == '"') out += '\\';
    out += c == '\n' ? ' ' : c;
  }
  return out;
}

/// Writes metrics one family after the other.
class Page {
 public:
  void Family(std::string_view name, std::string_view type, std::string_view help) {
    name_ = Cat("depot_pool_", name);
    text_ += Cat("# HELP ", name_, ' ', help, "\n# TYPE ", name_, ' ', type, '\n');
  }

  void Value(const Labels& labels, std::int64_t value) {
    std::string shown;
    for (const auto& [key, label] : labels)
      shown += Cat(shown.empty() ? "{" : ",", key, "=\"", Escape(label), '"');
    text_ += Cat(name_, shown, shown.empty() ? "" : "}", ' ', value, '\n');
  }

  std::string Take() { return std::move(text_); }

 private:
  std::string name_;
  std::string text_;
};

std::string_view GroundsName(records::Grounds grounds) {
  switch (grounds) {
    case records::Grounds::kHome:
      return "home";
    case records::Grounds::kPassed:
      return "passed";
    case records::Grounds::kWaited:
      return "waited";
    case records::Grounds::kTurn:
      break;
  }
  return "turn";
}

void ShowBuilds(Page& page, const std::map<State, std::int64_t>& builds) {
  page.Family("builds", "gauge", "Builds the pool remembers, by state.");
  for (State state :
       {State::kRunning, State::kSucceeded, State::kFailed, State::kCanceled, State::kLost}) {
    auto count = builds.find(state);
    page.Value({{"state", records::StateName(state)}}, count == builds.end() ? 0 : count->second);
  }
}

using Loads = std::map<std::string, records::PlatformLoad>;

void ShowPlatforms(Page& page, const Loads& loads) {
  page.Family("queue_length", "gauge", "Builds that wait for a builder.");
  for (const auto& [platform, load] : loads)
    page.Value({{"platform", platform}}, load.waiting);
  page.Family("slots", "gauge", "Builds that the builders take at once.");
  for (const auto& [platform, load] : loads)
    page.Value({{"platform", platform}}, load.slots);
  page.Family("slots_in_use", "gauge", "Builds that have a builder.");
  for (const auto& [platform, load] : loads)
    page.Value({{"platform", platform}}, load.in_use);
}

void ShowProjects(Page& page, const Loads& loads) {
  page.Family("project_waiting", "gauge", "Builds of a project that wait for a builder.");
  for (const auto& [platform, load] : loads) {
    for (const auto& [project, its] : load.projects)
      page.Value({{"platform", platform}, {"project", project}}, its.waiting);
  }
  page.Family("project_slots_in_use", "gauge", "Builds of a project that have a builder.");
  for (const auto& [platform, load] : loads) {
    for (const auto& [project, its] : load.projects)
      page.Value({{"platform", platform}, {"project", project}}, its.in_use);
  }
}

/// How long the one that waits longest has waited, by platform; 0 where nobody does.
void ShowLongestWait(Page& page,
                     const records::Slots& slots,
                     const Loads& loads,
                     records::Slots::Moment now) {
  std::map<std::string, std::int64_t> longest;
  for (const auto& [platform, load] : loads)
    longest[platform] = 0;
  for (const records::Waiting& waiting : slots.Queue()) {
    std::int64_t& seconds = longest[waiting.claim.platform];
    seconds = std::max<std::int64_t>(seconds, (now - waiting.claim.since).count() / 1000);
  }
  page.Family("queue_longest_wait_seconds", "gauge", "How long the longest of them has waited.");
  for (const auto& [platform, seconds] : longest)
    page.Value({{"platform", platform}}, seconds);
}

void ShowBuilders(Page& page,
                  const records::Slots& slots,
                  const std::vector<fleet::FleetBuilder>& builders) {
  page.Family("builder_up", "gauge", "Whether the builder takes connections.");
  for (const auto& [builder, up] : slots.Up())
    page.Value({{"builder", builder}}, up ? 1 : 0);
  using Of = std::function<std::int64_t(const fleet::FleetBuilder&)>;
  auto each = [&](std::string_view name, std::string_view help, const Of& value) {
    page.Family(name, "gauge", help);
    for (const fleet::FleetBuilder& builder : builders) {
      if (builder.slots == 0) continue;  // stands for those that may come
      page.Value({{"builder", builder.name},
                  {"source", builder.source},
                  {"platform", FormatPlatform(builder.platform)}},
                 value(builder));
    }
  };
  each("builder_draining", "Whether it ends as soon as its builds have.",
       [](auto& builder) { return builder.health == fleet::Health::kDraining ? 1 : 0; });
  each("builder_slots", "Builds that the builder takes at once.",
       [](auto& builder) { return builder.slots; });
  each("builder_slots_in_use", "Builds that have the builder.",
       [&](auto& builder) { return slots.InUse(builder.name); });
}

}  // namespace

void Metrics::CountRequest(const std::string& method, const std::string& code) {
  std::lock_guard lock(mutex_);
  ++requests_[{method, code}];
}

void Metrics::CountRejectedToken() {
  std::lock_guard lock(mutex_);
  ++rejected_tokens_;
}

void Metrics::CountGrant(const std::string& platform, records::Grounds grounds) {
  std::lock_guard lock(mutex_);
  ++grants_[{platform, grounds}];
}

void Metrics::CountReport() {
  std::lock_guard lock(mutex_);
  ++reports_;
}

void Metrics::CountSettingsError() {
  std::lock_guard lock(mutex_);
  ++settings_errors_;
}

void Metrics::CountTurnedAway(std::string_view what) {
  std::lock_guard lock(mutex_);
  auto found = turned_away_.find(what);
  if (found == turned_away_.end()) found = turned_away_.emplace(what, 0).first;
  ++found->second;
}

std::string Metrics::Render(const std::map<records::State, std::int64_t>& builds,
                            const records::Slots& slots,
                            const std::vector<fleet::FleetBuilder>& builders,
                            records::Slots::Moment now) const {
  Page page;
  ShowBuilds(page, builds);
  const Loads loads = slots.Load();
  ShowPlatforms(page, loads);
  ShowLongestWait(page, slots, loads, now);
  ShowProjects(page, loads);
  ShowBuilders(page, slots, builders);
  std::lock_guard lock(mutex_);
  page.Family("requests_total", "counter", "Calls answered, by method and Connect code.");
  for (const auto& [key, count] : requests_)
    page.Value({{"method", key.first}, {"code", key.second}}, count);
  page.Family("grants_total", "counter", "Builders given, by why: home has the project's cache.");
  for (const auto& [key, count] : grants_)
    page.Value({{"platform", key.first}, {"grounds", std::string(GroundsName(key.second))}}, count);
  page.Family("rejected_tokens_total", "counter", "Calls with a token that opens nothing.");
  page.Value({}, rejected_tokens_);
  page.Family("reports_total", "counter", "Status messages taken from clients.");
  page.Value({}, reports_);
  page.Family("settings_errors_total", "counter", "Changed files that could not be used.");
  page.Value({}, settings_errors_);
  page.Family("turned_away_total", "counter", "Connections and bodies that had to go for room.");
  for (const auto& [what, count] : turned_away_)
    page.Value({{"what", what}}, count);
  return page.Take();
}

}  // namespace depot::service
