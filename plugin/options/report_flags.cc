#include "plugin/options/report_flags.h"

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "plugin/options/attributes.h"

namespace depot::options {
namespace {

flags::FlagSetter SetExitCode(bool& step) {
  return [&step](const std::string& value) -> Result<> {
    if (value != "step" && value != "plain") {
      return Fail(Error(ErrorCode::kUsage, Cat("--exit-code ", Printable(value), " is unknown"))
                      .WithHint("step: a RUN's own exit code is passed on; plain: it is 1"));
    }
    step = value == "step";
    return {};
  };
}

}  // namespace

std::vector<flags::Flag> ReportFlags(ReportOptions& reports) {
  return {
      {"code-quality-file", 0, kText, "string",
       "Write the warnings about the Dockerfile to a file, as a GitLab Code Quality report",
       flags::Into(reports.code_quality)},
      {"dotenv-file", 0, kText, "string",
       "Write the image's name and digest to a file, for later jobs (GitLab reports: dotenv)",
       flags::Into(reports.dotenv)},
      {"log-file", 0, kText, "string", "Write the whole output of the build to a file, too",
       flags::Into(reports.log)},
      {"timeline", 0, kText, "string",
       "Write a web page that shows what happened when in the build",
       flags::Into(reports.timeline)},
      {"exit-code", 0, kText, "string",
       "What a failed RUN ends with: \"plain\" (1) or \"step\", its own exit code (default "
       "\"plain\")",
       SetExitCode(reports.step_exit)},
  };
}

}  // namespace depot::options
