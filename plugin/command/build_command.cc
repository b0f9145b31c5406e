#include "plugin/command/build_command.h"

#include "driver/base/text.h"
#include "plugin/command/build_answer.h"
#include "plugin/command/build_output.h"
#include "plugin/command/build_parts.h"
#include "plugin/command/chosen_display.h"
#include "plugin/job/job.h"
#include "plugin/job/target.h"
#include "plugin/options/build_flags.h"
#include "plugin/options/settings.h"
#include "plugin/plan/description.h"
#include "plugin/progress/line_sink.h"

namespace depot::command {
namespace {

const Error* FailureOf(const Result<job::Outcome>& outcome) {
  if (!outcome) return &outcome.error();
  return outcome->cache_failure ? &*outcome->cache_failure : nullptr;
}

Result<job::Outcome> Build(job::Target& target,
                           job::Workshop& workshop,
                           choice::Choice choice,
                           const api::BuildDescription& description,
                           EventSink& sink,
                           const Call& call) {
  TRY_ASSIGN(auto job,
             job::Job::Start(workshop, std::move(choice), description, sink, call.cancel));
  Result<job::Outcome> outcome = target.Build(*job, sink, call.cancel);
  const std::string saved = job->saved_build();
  if (outcome && !saved.empty()) sink.Say(Cat("To pull: ", call.program, " pull ", saved));
  job->Finish(FailureOf(outcome));
  return outcome;
}

}  // namespace

Result<> RunBuild(const Call& call) {
  if (call.flags_only != nullptr) {
    *call.flags_only = options::BuildFlagNames();
    return {};
  }
  TRY_ASSIGN(auto options, options::ParseBuildFlags(call.arguments, call.program));
  if (!options) return call.terminal.WriteResult(options::BuildHelp(call.program), call.cancel);
  TRY(options::ApplyProgressVariable(call.environment, *options));
  TRY_ASSIGN(ChosenDisplay chosen, ChooseDisplay(call, options->progress));
  if (HasAnswer(*options)) TRY(call.terminal.CheckResult());

  const options::GlobalFlags globals = GlobalsOf(*options, call);
  job::Workshop workshop(call.environment, globals, call.version);
  TRY(workshop.ReadDocker());
  Streams streams(call.terminal);
  job::Target target(*options, workshop, streams);
  LineSink early(call.terminal, call.cancel);
  Result<> prepared = target.Prepare(early, call.cancel);
  TRY(call.cancel.Check());
  auto reports = BuildOutput::OpenReports(*options);
  TRY(Both(std::move(prepared), reports ? Result<>() : Fail(reports.error())));
  TRY_ASSIGN(choice::Choice choice, ChooseBuilderOf(*options, workshop, call));
  std::string project = choice.hosted ? choice.hosted->project.id : "";

  chosen.options.title = TitleOf(choice);
  chosen.options.expand_warnings = workshop.debug();
  TRY_ASSIGN(auto output, BuildOutput::Open(chosen.options, *options, *std::move(reports),
                                            workshop.masks(), call.terminal));
  for (std::string& line : chosen.lines)
    output->sink().Say(std::move(line));
  Result<job::Outcome> outcome =
      Build(target, workshop, std::move(choice), plan::DescribeBuild(*options, project),
            output->sink(), call);
  if (!outcome) outcome = Fail(output->Told(outcome.error()));
  if (outcome && outcome->cache_failure) {
    outcome->cache_failure = output->Told(*outcome->cache_failure);
  }
  TRY(output->Finish(FailureOf(outcome), outcome ? &*outcome : nullptr));
  if (!outcome) return Fail(std::move(outcome).error());
  TRY(PrintAnswer(*options, *outcome, call.terminal));
  // The image is there, and a script may go on with it; but not all was done.
  if (outcome->cache_failure) return Fail(*std::move(outcome->cache_failure));
  return {};
}

}  // namespace depot::command
