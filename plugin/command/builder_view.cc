#include "plugin/command/builder_view.h"

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <utility>

#include "driver/base/shown.h"
#include "driver/base/task_group.h"
#include "driver/base/text.h"
#include "driver/builder/instance_store.h"
#include "driver/builder/instances.h"
#include "plugin/options/build_options.h"

namespace depot::command {
namespace {

std::string DriverOf(const choice::Choice& choice) {
  if (choice.hosted) return "depot";
  if (choice.engine) return "docker";
  const std::string& endpoint = choice.sites.front().name;
  for (std::string_view driver : {"docker-container", "kubernetes"}) {
    if (endpoint.starts_with(Cat(driver, "://buildx_buildkit_")) ||
        (driver == "kubernetes" && endpoint.starts_with("kubernetes://"))) {
      return std::string(driver);
    }
  }
  return "remote";
}

/// Hands what several threads say to one that may show it.
class Handover final : public EventSink {
 public:
  void Emit(Event event) override {
    const Notice* notice = std::get_if<Notice>(&event);
    const std::lock_guard lock(mutex_);
    if (notice != nullptr) lines_.push_back(notice->text);
    changed_.notify_all();
  }

  /// One of those that may say something has ended.
  void End() {
    const std::lock_guard lock(mutex_);
    ++ended_;
    changed_.notify_all();
  }

  /// Shows the lines until `all` have ended, or are asked to stop.
  void ShowTo(EventSink& sink, std::size_t all, const Cancel& cancel) {
    std::unique_lock lock(mutex_);
    for (bool over = false; !over;) {
      const bool heard =
          cancel.Wait(lock, changed_, [&] { return ended_ == all || !lines_.empty(); });
      over = !heard || ended_ == all;
      std::vector<std::string> lines = std::exchange(lines_, {});
      lock.unlock();
      for (std::string& line : lines)
        sink.Say(std::move(line));
      lock.lock();
    }
  }

 private:
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::vector<std::string> lines_;
  std::size_t ended_ = 0;
};

/// BuildKit 0.11 and newer say their version; the Engine's own says which one is in an older Engine
/// (buildx driver/docker/version.go).
std::string VersionInEngine(job::Workshop& workshop, const Cancel& cancel) {
  auto engine = workshop.Engine();
  if (!engine) return "";
  const auto info = (*engine)->Info(cancel);
  if (!info) return "";
  for (const auto& [engines, version] : {std::pair{"20.10.", "v0.8+unknown"},
                                         {"22.06.", "v0.10+unknown"},
                                         {"23.", "v0.10+unknown"}}) {
    if (info->server_version.starts_with(engines)) return version;
  }
  return "";
}

struct Question {
  const choice::Site& site;
  bool is_engine;
  Look look;
  NodeView& node;
};

void LookAtNode(const Question& question,
                job::Workshop& workshop,
                EventSink& sink,
                const Cancel& cancel) {
  const auto most =
      question.look == Look::kQuick ? std::chrono::seconds(5) : std::chrono::seconds(20);
  const Cancel bounded = cancel.WithTimeout(most, Cat("no answer within ", most.count(), " s"));
  builder::Driver& driver = *question.site.driver;
  auto builder = question.look == Look::kPatient ? driver.Acquire(std::nullopt, sink, cancel)
                                                 : driver.TryOnce(sink, bounded);
  Result<builder::WorkerFacts> facts =
      builder ? builder::AskWorkers(**builder, bounded) : Fail(builder.error());
  NodeView& node = question.node;
  if (facts) {
    node.status = "running";
    node.facts = *std::move(facts);
    if (node.facts.version.empty() && question.is_engine) {
      node.facts.version = VersionInEngine(workshop, bounded);
    }
    return;
  }
  node.status = "inactive";
  sink.Say(Cat(Printable(node.name), ": ", facts.error().message()));
}

constexpr std::string_view kMajorPlatforms[] = {"linux/amd64",   "linux/arm64", "linux/arm",
                                                "linux/ppc64le", "linux/s390x", "linux/riscv64",
                                                "linux/mips64"};

std::string Machine(const Platform& platform) {
  return Cat(platform.os, '/', platform.architecture);
}

std::vector<std::string> Unique(const std::vector<Platform>& platforms) {
  std::vector<std::string> texts;
  for (const Platform& one : platforms) {
    std::string text = Printable(FormatPlatform(one));
    if (std::find(texts.begin(), texts.end(), text) == texts.end()) {
      texts.push_back(std::move(text));
    }
  }
  return texts;
}

BuilderView HostedView() {
  BuilderView view;
  view.name = "depot";
  view.driver = "depot";
  for (const auto& [name, platform] :
       {std::pair{"amd64", Platform{"linux", "amd64", ""}}, {"arm64", {"linux", "arm64", ""}}}) {
    view.nodes.push_back({name, "the Depot API", "on demand", {}});
    view.nodes.back().facts.platforms = {platform};
  }
  return view;
}

/// What is known without asking the builder.
BuilderView ViewOf(const choice::Choice& choice, const job::Workshop& workshop) {
  if (choice.hosted) return HostedView();
  BuilderView view;
  view.driver = DriverOf(choice);
  const choice::BuildxName& first = choice.sites.front().buildx;
  view.name = first.builder.empty() ? choice.sites.front().name : first.builder;
  const builder::InstanceStore store(builder::BuildxFolder(
      workshop.environment(), workshop.docker().credentials.config.directory));
  const Result<Json> written = store.Read(view.name);
  view.last_activity = store.LastActivity(view.name);
  const Json nodes = written ? (*written)["Nodes"] : Json();
  for (const choice::Site& site : choice.sites) {
    const std::string& node = site.buildx.node;
    view.nodes.push_back(
        {node.empty() ? site.name : node, choice.engine ? node : site.name, "", {}});
    for (std::size_t i = 0; i < nodes.size(); ++i)
      if (nodes[i]["Name"].AsString() == node) view.nodes.back().written = nodes[i];
  }
  return view;
}

}  // namespace

Result<choice::Choice> ChooseNamed(const std::string& name,
                                   job::Workshop& workshop,
                                   const Call& call) {
  options::BuildOptions options;
  options.builder = name;
  const job::DockerSetup& docker = workshop.docker();
  const choice::ChoiceFacts facts{
      options, call.environment, docker.engine, docker.credentials.config.directory, {}};
  return choice::ChooseBuilder(facts, workshop.http(), call.cancel);
}

std::vector<BuilderView> LookAtBuilders(const std::vector<const choice::Choice*>& choices,
                                        Look look,
                                        job::Workshop& workshop,
                                        EventSink& sink,
                                        const Cancel& cancel) {
  std::vector<BuilderView> views;
  for (const choice::Choice* choice : choices)
    views.push_back(ViewOf(*choice, workshop));
  Handover handover;
  std::size_t asked = 0;
  TaskGroup group(cancel);
  for (std::size_t i = 0; i < choices.size(); ++i) {
    if (choices[i]->hosted) continue;
    for (std::size_t j = 0; j < choices[i]->sites.size(); ++j, ++asked) {
      const Question question{choices[i]->sites[j], choices[i]->engine, look, views[i].nodes[j]};
      group.Start("look", [&, question](const Cancel& stop) -> Result<> {
        LookAtNode(question, workshop, handover, stop);
        handover.End();
        return {};
      });
    }
  }
  handover.ShowTo(sink, asked, group.cancel());
  (void)group.Wait();
  return views;
}

std::string PlatformsText(const std::vector<Platform>& platforms, std::size_t most) {
  const std::vector<std::string> all = Unique(platforms);
  if (most == 0 || all.size() <= 1) return Join(all, ", ");
  std::map<std::string, std::vector<std::string>> groups;
  for (const Platform& one : platforms) {
    std::vector<std::string>& group = groups[Machine(one)];
    const std::string text = Printable(FormatPlatform(one));
    if (std::find(group.begin(), group.end(), text) == group.end()) group.push_back(text);
  }
  std::vector<std::string> shown;
  std::size_t counted = 0;
  auto add = [&](const std::string& machine) {
    auto found = groups.find(machine);
    if (found == groups.end() || shown.size() >= most) return;
    const std::size_t size = found->second.size();
    shown.push_back(size == 1 ? found->second.front() : Cat(Printable(machine), " (+", size, ')'));
    counted += size;
    groups.erase(found);
  };
  for (std::string_view machine : kMajorPlatforms)
    add(std::string(machine));
  while (!groups.empty() && shown.size() < most)
    add(groups.begin()->first);
  if (counted < all.size()) shown.push_back(Cat('(', all.size() - counted, " more)"));
  return Join(shown, ", ");
}

}  // namespace depot::command
