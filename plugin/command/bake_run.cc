#include "plugin/command/bake_run.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <set>

#include "driver/base/json.h"
#include "driver/base/shown.h"
#include "driver/base/task_group.h"
#include "driver/base/text.h"
#include "driver/disk/whole_file.h"
#include "driver/event/labelled_sink.h"
#include "driver/event/step.h"
#include "plugin/command/bake_groups.h"
#include "plugin/command/build_answer.h"
#include "plugin/command/build_output.h"
#include "plugin/command/build_parts.h"
#include "plugin/command/chosen_display.h"
#include "plugin/deliver/metadata.h"
#include "plugin/job/job.h"
#include "plugin/job/links.h"
#include "plugin/job/target.h"
#include "plugin/plan/description.h"
#include "plugin/progress/line_sink.h"

namespace depot::command {
namespace {

/// Lets a line that several targets say pass once.
class NoticesOnce final : public EventSink {
 public:
  explicit NoticesOnce(EventSink& sink) : sink_(sink) {}

  void Emit(Event event) override {
    if (const auto* notice = std::get_if<Notice>(&event)) {
      const std::lock_guard lock(mutex_);
      if (!said_.insert(notice->text).second) return;
    }
    sink_.Emit(std::move(event));
  }

 private:
  EventSink& sink_;
  std::mutex mutex_;
  std::set<std::string> said_;
};

/// A target while it is built.
struct Running {
  const BakeTarget* target = nullptr;
  job::Job* job = nullptr;  ///< of its project
  std::unique_ptr<job::Target> build;
  std::unique_ptr<EventSink> labelled;
  job::Outcome outcome;
  std::optional<std::size_t> wave;  ///< of those that wait for each other
  std::atomic<bool> started{false};
  std::atomic<bool> done{false};
};

/// All targets of one run.
class BakeRun {
 public:
  BakeRun(const std::vector<BakeTarget>& targets, job::Workshop& workshop, Terminal& terminal)
      : targets_(targets), streams_(terminal) {
    for (const BakeTarget& target : targets) {
      Running& running = running_[target.name];
      running.target = &target;
      running.build = std::make_unique<job::Target>(target.options, workshop, streams_);
      for (const auto& [context, linked] : target.links)
        users_[linked].insert(target.name);
    }
    for (auto& [name, running] : running_)
      Link(name, running);
  }
  BakeRun(const BakeRun&) = delete;
  BakeRun& operator=(const BakeRun&) = delete;

  /// Whatever is wrong on the user's own machine.
  Result<> Prepare(EventSink& sink, const Cancel& cancel) {
    for (auto& [name, running] : running_) {
      Result<> prepared = running.build->Prepare(sink, cancel);
      if (!prepared) return Fail(Named(name, std::move(prepared).error()));
    }
    return {};
  }

  /// Before Build(), for each of the targets: which job builds it.
  void Assign(const std::set<std::string>& targets, job::Job& job) {
    for (const std::string& name : targets)
      running_.at(name).job = &job;
  }

  /// Once, after Prepare().
  Result<> Build(std::size_t most, EventSink& sink, const Cancel& cancel) {
    TaskGroup tasks(cancel);
    std::vector<Running*> first;
    for (auto& [name, running] : running_) {
      if (running_.size() > 1) running.labelled = MakeLabelledSink(sink, name);
      if (!users_.contains(name)) first.push_back(&running);
    }
    std::atomic<std::size_t> next{0};
    const std::size_t workers = std::min(most, first.size());
    for (std::size_t i = 0; i < workers; ++i)
      ExpectWithLinks(*first[i]);
    for (std::size_t i = 0; i < workers; ++i) {
      tasks.Start("bake", [&](const Cancel& stop) -> Result<> {
        for (std::size_t at = next++; at < first.size(); at = next++)
          TRY(RunWithLinks(*first[at], {tasks, sink}, stop));
        return {};
      });
    }
    return tasks.Wait();
  }

  /// Whether all of them have been built.
  bool Built(const std::set<std::string>& targets) const {
    return std::all_of(targets.begin(), targets.end(),
                       [&](const std::string& name) { return running_.at(name).done.load(); });
  }

  const std::vector<BakeTarget>& targets() const { return targets_; }
  const std::map<std::string, Running>& running() const { return running_; }

 private:
  struct Shared {
    TaskGroup& tasks;
    EventSink& sink;
  };

  Error Named(const std::string& name, Error error) const {
    return running_.size() > 1 ? std::move(error).While(Cat("target ", name)) : error;
  }

  void Link(const std::string& name, Running& running) {
    auto users = users_.find(name);
    const bool used = users != users_.end();
    if (used) board_.Expect(name, users->second.size());
    const bool several = targets_.size() > 1;
    running.build->SetLinkage(
        {&board_, name, several, used, running.target->links, &loans_, &filters_});
  }

  /// What runs from the start, beside others: a target of one wave needs results of earlier ones
  /// alone. Gives its wave.
  std::size_t ExpectWithLinks(Running& running) {
    if (running.wave) return *running.wave;
    std::size_t wave = 0;
    for (const auto& [context, name] : running.target->links)
      wave = std::max(wave, ExpectWithLinks(running_.at(name)) + 1);
    running.wave = wave;
    filters_.Expect(running.target->name, {running.job, wave}, running.build->Directories(),
                    running.build->ContextName());
    return wave;
  }

  /// What it uses runs beside it, each once, whoever is the first to need it.
  Result<> RunWithLinks(Running& running, Shared shared, const Cancel& cancel) {
    for (const auto& [context, name] : running.target->links) {
      Running& linked = running_.at(name);
      if (linked.started.exchange(true)) continue;
      shared.tasks.Start("linked", [this, &linked, shared](const Cancel& stop) {
        return RunWithLinks(linked, shared, stop);
      });
    }
    return RunOne(running, shared, cancel);
  }

  Result<> RunOne(Running& running, Shared shared, const Cancel& cancel) {
    const std::string& name = running.target->name;
    EventSink& sink = running.labelled ? *running.labelled : shared.sink;
    auto outcome = running.build->Build(*running.job, sink, cancel);
    filters_.Leave(name);
    std::set<std::string> used;
    for (const auto& [context, linked] : running.target->links)
      used.insert(linked);
    for (const std::string& linked : used)
      board_.Release(linked);
    if (!outcome) {
      Error error = Named(name, std::move(outcome).error());
      board_.Fail(name, error);
      return Fail(std::move(error));
    }
    running.outcome = *std::move(outcome);
    running.done = true;
    return {};
  }

  const std::vector<BakeTarget>& targets_;
  Streams streams_;
  job::LinkBoard board_;
  job::ContextLoans loans_;
  job::FilterAgreement filters_;
  std::map<std::string, Running> running_;
  std::map<std::string, std::set<std::string>> users_;
};

api::BuildDescription Describe(const std::vector<BakeTarget>& targets, const BakeGroup& group) {
  api::BuildDescription description;
  description.project = group.project;
  for (const BakeTarget& target : targets) {
    if (!group.targets.contains(target.name)) continue;
    // Of a bake the official client tells that it is saved, but of no output for that.
    options::BuildOptions said = target.options;
    said.save = false;
    api::BuildDescription one = plan::DescribeBuild(said, group.project);
    one.target = target.name;
    one.save = target.options.save;
    description.save |= one.save;
    if (one.save) description.save_tags = one.save_tags;
    description.targets.push_back(std::move(one));
  }
  return description;
}

/// As docker buildx bake writes it: an object for each target, and warnings of all at the top.
/// `depot_build` as the Depot CLI adds it; "" = there is not one build.
std::string MetadataOf(const std::map<std::string, Running>& running,
                       const std::string& depot_build) {
  constexpr const char* kWarnings = "buildx.build.warnings";
  deliver::ExporterResponse at_the_top;
  if (!depot_build.empty()) at_the_top["depot.build"] = depot_build;
  auto top = Json::Parse(deliver::MetadataJson(at_the_top, ""));
  Json all = top ? *std::move(top) : Json::Object();
  Json warnings;
  for (const auto& [name, one] : running) {
    auto parsed = Json::Parse(deliver::MetadataJson(one.outcome.response, one.outcome.ref));
    if (!parsed) continue;
    Json own = Json::Object();
    for (const std::string& key : parsed->Keys()) {
      if (key != kWarnings) {
        own.Set(key, (*parsed)[key]);
        continue;
      }
      const Json said = (*parsed)[key];
      for (std::size_t i = 0; i < said.size(); ++i)
        warnings.Append(said[i]);
    }
    all.Set(name, std::move(own));
  }
  if (warnings.is_array()) all.Set(kWarnings, std::move(warnings));
  return all.Dump(2);
}

Result<> WriteMetadata(const std::string& path,
                       const std::map<std::string, Running>& running,
                       const std::string& depot_build) {
  const auto write = [&]() -> Result<> {
    TRY_ASSIGN(const auto file, disk::OpenWholeFile(path, false));
    TRY(file->Write(MetadataOf(running, depot_build)));
    return file->Commit();
  };
  Result<> done = write();
  if (!done) return Fail(std::move(done).error().While("--metadata-file cannot be written"));
  return {};
}

/// What stays in the cache alone is said once for all.
void WarnOfNoOutput(const std::vector<BakeTarget>& targets,
                    const choice::Choice& choice,
                    EventSink& sink) {
  if (choice.engine || choice.default_load) return;
  std::vector<std::string> names;
  for (const BakeTarget& target : targets) {
    const bool asks = !target.options.call.method.empty();
    if (target.options.outputs.empty() && !target.linked && !asks) names.push_back(target.name);
  }
  if (names.empty()) return;
  sink.Say(Cat("WARNING: no output was asked for, so the result of ", Join(names, ", "),
               " stays in the builder's cache; --push, --load or an output takes it out"));
}

Result<> ShowAnswers(const BakeRun& run, Terminal& terminal) {
  std::optional<Error> failure;
  for (const auto& [name, running] : run.running()) {
    const options::BuildOptions& options = running.target->options;
    if (options.call.method.empty()) continue;
    if (run.running().size() > 1 && !options.call.json) {
      TRY(terminal.WriteResult(Cat(name, "\n\n"), Cancel::Never()));
    }
    Result<> shown = PrintCallAnswer(options, running.outcome.answer, terminal);
    if (!shown && !failure) failure = std::move(shown).error().While(Cat("target ", name));
  }
  if (failure) return Fail(*std::move(failure));
  return {};
}

void ShowFiles(const BakeSources& sources, EventSink& sink) {
  Step step(sink, "[internal] load local bake definitions");
  for (const auto& [name, size] : sources.files) {
    const std::string shown = Cat("reading ", Printable(name));
    step.Progress(shown, static_cast<std::int64_t>(size), static_cast<std::int64_t>(size));
    step.ProgressDone(shown);
  }
}

/// The targets of `group` that somebody asked for.
std::vector<std::string> RequestedOf(const BakeRun& run, const BakeGroup& group) {
  std::vector<std::string> names;
  for (const BakeTarget& target : run.targets())
    if (!target.linked && group.targets.contains(target.name)) names.push_back(target.name);
  return names;
}

void SaySaved(const BakeRun& run,
              const BakeGroup& group,
              const job::Job& job,
              std::string_view program,
              EventSink& sink) {
  const std::string saved = job.saved_build();
  if (saved.empty()) return;
  for (const std::string& name : RequestedOf(run, group))
    sink.Say(Cat("To pull: ", program, " pull --target ", name, ' ', saved));
}

/// A run from the first builder to the last result. Gives what the Depot API knows the build by; ""
/// when there is not one.
Result<std::string> RunAll(BakeRun& run,
                           std::vector<BakeGroup> groups,
                           const BakeOptions& options,
                           job::Workshop& workshop,
                           EventSink& sink,
                           const Call& call) {
  WarnOfNoOutput(run.targets(), groups.front().choice, sink);
  std::vector<std::unique_ptr<job::Job>> jobs;
  for (BakeGroup& group : groups) {
    auto job = job::Job::Start(workshop, std::move(group.choice), Describe(run.targets(), group),
                               sink, call.cancel);
    if (!job && groups.size() > 1) {
      return Fail(std::move(job).error().While(Cat("project ", Printable(group.project))));
    }
    if (!job) return Fail(std::move(job).error());
    run.Assign(group.targets, **job);
    jobs.push_back(*std::move(job));
  }
  Result<> built = run.Build(options.max_parallel, sink, call.cancel);
  std::string depot_build;
  if (groups.size() == 1) depot_build = jobs[0]->depot_build(RequestedOf(run, groups[0]));
  for (std::size_t i = 0; i < groups.size(); ++i) {
    const bool whole = built || run.Built(groups[i].targets);
    if (whole) SaySaved(run, groups[i], *jobs[i], call.program, sink);
    jobs[i]->Finish(whole ? nullptr : &built.error());
  }
  TRY(std::move(built));
  return depot_build;
}

std::string TitleOfAll(const std::vector<BakeGroup>& groups) {
  if (groups.size() == 1) return TitleOf(groups.front().choice);
  std::vector<std::string> names;
  for (const BakeGroup& group : groups)
    names.push_back(Printable(group.project));
  return Cat("Depot projects ", Join(names, ", "));
}

}  // namespace

Result<> BuildTargets(const std::vector<BakeTarget>& targets,
                      const BakeOptions& options,
                      job::Workshop& workshop,
                      BakeSources sources,
                      const Call& call) {
  TRY_ASSIGN(ChosenDisplay chosen, ChooseDisplay(call, options.common.progress));
  BakeRun run(targets, workshop, call.terminal);
  LineSink early(call.terminal, call.cancel);
  TRY(run.Prepare(early, call.cancel));
  TRY_ASSIGN(auto reports, BuildOutput::OpenReports(options.common));
  TRY_ASSIGN(std::vector<BakeGroup> groups, ChooseGroups(targets, options, workshop, call));
  chosen.options.title = TitleOfAll(groups);
  chosen.options.expand_warnings = workshop.debug();
  TRY_ASSIGN(auto output, BuildOutput::Open(chosen.options, options.common, std::move(reports),
                                            workshop.masks(), call.terminal));
  for (std::vector<std::string>* lines : {&chosen.lines, &sources.notices})
    for (std::string& line : *lines)
      output->sink().Say(std::move(line));
  ShowFiles(sources, output->sink());
  NoticesOnce sink(output->sink());
  auto done = RunAll(run, std::move(groups), options, workshop, sink, call);
  if (!done) done = Fail(output->Told(done.error()));
  TRY(output->Finish(done ? nullptr : &done.error(), nullptr));
  if (!done) return Fail(std::move(done).error());
  if (!options.metadata_file.empty()) {
    TRY(WriteMetadata(options.metadata_file, run.running(), *done));
  }
  TRY(ShowAnswers(run, call.terminal));
  for (const auto& [name, running] : run.running()) {
    if (!running.outcome.cache_failure) continue;
    return Fail(output->Told(Error(*running.outcome.cache_failure).While(Cat("target ", name))));
  }
  return {};
}

}  // namespace depot::command
