#pragma once

#include <string>
#include <vector>

#include "driver/base/result.h"
#include "driver/flags/flag_table.h"

namespace depot::options {

/// What scripts and CI systems are told of a build beside its output.
struct ReportOptions {
  std::string log;           ///< --log-file; "" = not given, also below
  std::string dotenv;        ///< --dotenv-file
  std::string code_quality;  ///< --code-quality-file
  std::string timeline;      ///< --timeline
  bool step_exit = false;    ///< --exit-code=step: the failed RUN's own exit code is the program's
};

/// The flags of all this, which are ours alone; `reports` must outlive them.
std::vector<flags::Flag> ReportFlags(ReportOptions& reports);

}  // namespace depot::options
