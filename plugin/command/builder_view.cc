#include "plugin/command/builder_view.h"

#include <algorithm>
#include <map>
#include <mutex>

#include "driver/base/shown.h"
#include "driver/base/task_group.h"
#include "driver/base/text.h"
#include "plugin/options/build_options.h"

namespace depot::command {
namespace {

constexpr std::chrono::seconds kLookTime(20);

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

/// Keeps what several threads say for one that may.
class KeptNotices final : public EventSink {
 public:
  void Emit(Event event) override {
    const Notice* notice = std::get_if<Notice>(&event);
    const std::lock_guard lock(mutex_);
    if (notice != nullptr) lines_.push_back(notice->text);
  }

  void SayTo(EventSink& sink) {
    for (std::string& line : lines_)
      sink.Say(std::move(line));
  }

 private:
  std::mutex mutex_;
  std::vector<std::string> lines_;
};

void LookAtNode(const choice::Site& site, NodeView& node, EventSink& sink, const Cancel& cancel) {
  const Cancel bounded = cancel.WithTimeout(kLookTime, "no answer within 20 s");
  auto builder = site.driver->Acquire(std::nullopt, sink, bounded);
  Result<builder::WorkerFacts> facts =
      builder ? builder::AskWorkers(**builder, bounded) : Fail(builder.error());
  if (facts) {
    node.status = "running";
    node.facts = *std::move(facts);
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

BuilderView LookAtBuilder(const choice::Choice& choice, EventSink& sink, const Cancel& cancel) {
  BuilderView view;
  view.driver = DriverOf(choice);
  if (choice.hosted) {
    view.name = "depot";
    for (const auto& [name, platform] :
         {std::pair{"amd64", Platform{"linux", "amd64", ""}}, {"arm64", {"linux", "arm64", ""}}}) {
      view.nodes.push_back({name, "the Depot API", "on demand", {}});
      view.nodes.back().facts.platforms = {platform};
    }
    return view;
  }
  for (const choice::Site& site : choice.sites) {
    view.name = site.buildx.builder.empty() ? choice.sites.front().name : site.buildx.builder;
    const std::string& node = site.buildx.node;
    view.nodes.push_back({node.empty() ? site.name : node, site.name, "", {}});
  }
  KeptNotices notices;
  TaskGroup group(cancel);
  for (std::size_t i = 0; i < choice.sites.size(); ++i) {
    group.Start("look", [&, i](const Cancel& stop) -> Result<> {
      LookAtNode(choice.sites[i], view.nodes[i], notices, stop);
      return {};
    });
  }
  (void)group.Wait();
  notices.SayTo(sink);
  return view;
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
