#include "plugin/command/build_answer.h"

#include <filesystem>
#include <map>
#include <string>

#include "driver/base/text.h"
#include "plugin/deliver/call_answer.h"
#include "plugin/plan/git_url.h"

namespace depot::command {
namespace {

/// The Dockerfile as the user would name it; "" when it is no file of this machine.
std::string NameOfDockerfile(const options::BuildOptions& options) {
  if (options.context == "-" || options.file == "-" || plan::IsRemoteContext(options.context)) {
    return "";
  }
  if (!options.file.empty()) return options.file;
  return (std::filesystem::path(options.context) / "Dockerfile").lexically_normal().string();
}

std::string WhyNoId(const job::Outcome& outcome, const options::BuildOptions& options) {
  if (!outcome.not_loaded.empty()) return outcome.not_loaded;
  if (!options.outputs.empty()) return "the outputs asked for make no image";
  return "no output was asked for, and the result stays in the builder's cache; --load, --push or "
         "--output takes it out";
}

Result<> PrintId(const job::Outcome& outcome,
                 const options::BuildOptions& options,
                 Terminal& terminal) {
  if (!outcome.image_id.empty()) {
    return terminal.WriteResult(Cat(outcome.image_id, '\n'), Cancel::Never());
  }
  terminal.WriteError(Cat("note: there is no image ID to print: ", WhyNoId(outcome, options), '\n'),
                      Cancel::Never());
  return {};
}

}  // namespace

Result<> PrintCallAnswer(const options::BuildOptions& options,
                         const std::map<std::string, std::string>& metadata,
                         Terminal& terminal) {
  TRY_ASSIGN(deliver::CallAnswer answer,
             deliver::ShowAnswer(options.call, metadata, NameOfDockerfile(options)));
  if (!answer.text.empty()) TRY(terminal.WriteResult(answer.text, Cancel::Never()));
  if (answer.failure) return Fail(*std::move(answer.failure));
  return {};
}

bool HasAnswer(const options::BuildOptions& options) {
  return options.quiet || !options.call.method.empty();
}

Result<> PrintAnswer(const options::BuildOptions& options,
                     const job::Outcome& outcome,
                     Terminal& terminal) {
  if (!options.call.method.empty()) return PrintCallAnswer(options, outcome.answer, terminal);
  return options.quiet ? PrintId(outcome, options, terminal) : Result<>();
}

}  // namespace depot::command
