#include "plugin/command/chosen_display.h"

namespace depot::command {
namespace {

DisplayMode ModeOf(options::ProgressMode asked) {
  switch (asked) {
    case options::ProgressMode::kAuto:
      return DisplayMode::kAuto;
    case options::ProgressMode::kPlain:
      return DisplayMode::kPlain;
    case options::ProgressMode::kTty:
      return DisplayMode::kTty;
    case options::ProgressMode::kGitlab:
      return DisplayMode::kGitlab;
    case options::ProgressMode::kRawJson:
      return DisplayMode::kRawJson;
    case options::ProgressMode::kQuiet:
      return DisplayMode::kQuiet;
    case options::ProgressMode::kNone:
      return DisplayMode::kNone;
  }
  return DisplayMode::kAuto;
}

}  // namespace

Result<ChosenDisplay> ChooseDisplay(const Call& call, options::ProgressMode asked) {
  ChosenDisplay chosen;
  TRY_ASSIGN(chosen.options.mode, ChooseMode(ModeOf(asked), call.environment, call.terminal));
  chosen.options.style = ReadStyle(call.environment, chosen.lines);
  chosen.options.expand_warnings = call.globals.debug;
  return chosen;
}

}  // namespace depot::command
