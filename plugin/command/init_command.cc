#include "plugin/command/init_command.h"

#include <algorithm>

#include <unistd.h>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/depot/project.h"
#include "plugin/command/account.h"
#include "plugin/command/answer_line.h"
#include "plugin/command/command_line.h"
#include "plugin/progress/line_sink.h"

namespace depot::command {
namespace {

/// Asks which one is meant.
Result<std::string> Choose(const std::vector<api::Project>& projects,
                           EventSink& sink,
                           const Cancel& cancel) {
  if (projects.empty()) {
    return Fail(Error(ErrorCode::kNotFound, "this token opens no project")
                    .WithHint("create one first, or log in as somebody else"));
  }
  std::string text = "Projects:\n";
  for (std::size_t i = 0; i < projects.size(); ++i) {
    text +=
        Cat("  ", i + 1, "  ", Printable(projects[i].id), "  ", Printable(projects[i].name), '\n');
  }
  sink.Say(Cat(text, "Type the number or the ID of one, and Enter:"));
  TRY_ASSIGN(std::string answer, ReadAnswerLine(cancel));
  bool is_id = std::any_of(projects.begin(), projects.end(),
                           [&](const api::Project& project) { return project.id == answer; });
  auto number = ParseDecimal(answer);
  if (!is_id && number && *number >= 1 && *number <= projects.size()) {
    return projects[*number - 1].id;
  }
  return answer;
}

Error NoSuchProject(const std::string& id,
                    const api::Token& token,
                    const std::vector<api::Project>& projects) {
  std::vector<std::string_view> ids;
  for (const api::Project& project : projects)
    ids.push_back(project.id);
  std::string nearest = Printable(Nearest(id, ids));
  return Error(ErrorCode::kNotFound,
               Cat("the token (", token.source, ") opens no project \"", Printable(id), "\""))
      .WithHint(nearest.empty() ? "the command list projects shows those it opens"
                                : Cat("did you mean ", nearest, "?"));
}

}  // namespace

Result<> RunInit(const Call& call) {
  Secret token_flag;
  std::string id;
  std::string directory;
  bool force = false;
  flags::Flag project_flag = ProjectFlag(id);
  project_flag.help = "ID of the project";
  TRY_ASSIGN(
      bool runs,
      ReadCommandLine(
          {.words = "init",
           .description = "Write DIR/depot.json, so that builds of that folder belong to a project",
           .flags = {{"force", 0, flags::FlagKind::kSwitch, "",
                      "Replace a project file that is there already", flags::Into(force)},
                     TokenFlag(token_flag),
                     project_flag},
           .argument = "[DIR]",
           .target = &directory},
          call));
  if (!runs) return {};
  bool asks = id.empty();
  if (asks && (::isatty(STDIN_FILENO) == 0 || !call.terminal.error_is_terminal())) {
    return Fail(Error(ErrorCode::kUsage, "init needs --project when there is no terminal to ask on")
                    .WithHint("the command list projects shows the IDs"));
  }
  LineSink sink(call.terminal, call.cancel);
  job::Workshop workshop(call.environment, call.globals, call.version);
  TRY_ASSIGN(auto account, Account::Open(workshop, sink));
  TRY_ASSIGN(api::Token token, account->Token(token_flag, call.cancel));
  TRY_ASSIGN(auto projects, account->api().ListProjects(token, call.cancel));
  if (asks) {
    TRY_ASSIGN(id, Choose(projects, sink, call.cancel));
  }
  auto found = std::find_if(projects.begin(), projects.end(),
                            [&](const api::Project& project) { return project.id == id; });
  if (found == projects.end()) return Fail(NoSuchProject(id, token, projects));
  if (directory.empty()) directory = ".";
  TRY(api::WriteProjectFile(directory, id, force));
  return call.terminal.WriteResult(
      Cat("Builds of ", Printable(directory), " now belong to the project ", Printable(found->name),
          " (", Printable(id), ").\n"),
      call.cancel);
}

}  // namespace depot::command
