#pragma once

#include <string>
#include <vector>

#include "driver/base/result.h"
#include "plugin/command/command.h"
#include "plugin/options/build_options.h"
#include "plugin/progress/display.h"

namespace depot::command {

/// What a command's display is made with.
struct ChosenDisplay {
  DisplayOptions options;          ///< without a title
  std::vector<std::string> lines;  ///< to say: variables without a meaning
};

/// What `asked` means for this call: its environment and its terminal. See ChooseMode().
Result<ChosenDisplay> ChooseDisplay(const Call& call, options::ProgressMode asked);

}  // namespace depot::command
