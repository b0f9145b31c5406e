#include "plugin/command/doctor_command.h"

#include <algorithm>
#include <iterator>

#include "driver/base/text.h"
#include "plugin/command/command_line.h"
#include "plugin/doctor/machine.h"
#include "plugin/doctor/network.h"
#include "plugin/progress/line_sink.h"

namespace depot::command {
namespace {

struct DoctorOptions {
  std::string reference;
  bool json = false;
};

CommandLine DoctorLine(DoctorOptions& options) {
  return {.words = "doctor",
          .description = "Check all that a build needs, and whether it may push to REF",
          .flags = {{"json", 0, flags::FlagKind::kSwitch, "", "Print the findings as JSON",
                     flags::Into(options.json)}},
          .argument = "[REF]",
          .target = &options.reference};
}

}  // namespace

Result<> RunDoctor(const Call& call) {
  DoctorOptions options;
  TRY_ASSIGN(const bool runs, ReadCommandLine(DoctorLine(options), call));
  if (!runs) return {};
  std::optional<Reference> reference;
  if (!options.reference.empty()) {
    Result<Reference> parsed = ParseReference(options.reference);
    if (!parsed) return Fail(ErrorCode::kUsage, parsed.error().message());
    reference = *std::move(parsed);
  }
  LineSink sink(call.terminal, call.cancel);
  job::Workshop workshop(call.environment, call.globals, call.version);
  workshop.SayTo(&sink);
  const std::vector<Error> faults = workshop.ReadDockerLeniently();
  const std::string& directory = workshop.docker().credentials.config.directory;
  std::vector<doctor::Finding> findings = {
      doctor::CheckPluginPlaces(directory), doctor::CheckDockerClient(call.environment),
      doctor::CheckSettings(directory, faults), doctor::CheckProxies(call.environment),
      doctor::CheckEngine(workshop, call.cancel)};
  const auto add = [&findings](std::vector<doctor::Finding> more) {
    std::move(more.begin(), more.end(), std::back_inserter(findings));
  };
  add(doctor::CheckBuilders(workshop, sink, call.cancel));
  if (reference) add(doctor::CheckRegistry(*reference, workshop, sink, call.cancel));
  TRY(call.cancel.Check());
  TRY(call.terminal.WriteResult(
      options.json ? doctor::FindingsJson(findings) : doctor::FindingsText(findings), call.cancel));
  auto bad = std::find_if(findings.begin(), findings.end(), [](const doctor::Finding& one) {
    return one.health == doctor::Health::kBad;
  });
  if (bad == findings.end()) return {};
  return Fail(Error(ErrorCode::kFailed, Cat("the check \"", bad->check, "\" failed")).At(bad->at));
}

}  // namespace depot::command
