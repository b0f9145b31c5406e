#include <CLI/CLI.hpp>

#include "driver/base/columns.h"
#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "pool/commands.h"
#include "pool/records/store.h"
#include "pool/service/journal.h"
#include "pool/settings/settings.h"
#include "pool/settings/timestamp.h"

namespace depot {
namespace {

struct Listing {
  std::string project;
  int limit = 50;
};

Result<records::Store> Open(const Invocation& invocation) {
  TRY_ASSIGN(settings::Settings known, settings::ReadSettings(invocation.settings_file));
  return records::OpenStore(known);
}

Result<Output> List(const Invocation& invocation, const Listing& wanted) {
  TRY_ASSIGN(auto store, Open(invocation));
  TRY_ASSIGN(auto builds, store.records->List(wanted.project, wanted.limit, 0));
  Output output;
  for (const records::BuildRecord& build : builds) {
    std::string state = records::StateName(build.state);
    state.resize(9, ' ');
    std::string line = Cat(build.id, "  ", state, "  ", settings::FormatTime(build.created_at),
                           "  ", build.project, "  by ", Printable(build.creator),
                           build.error.empty() ? "" : "  ", Printable(build.error));
    if (invocation.columns > 0 && Columns(line) > invocation.columns)
      line = Cat(FitColumns(line, invocation.columns - 1), "…");
    output.out += Cat(line, '\n');
  }
  return output;
}

Result<Output> CancelBuild(const Invocation& invocation, const std::string& id) {
  TRY_ASSIGN(auto store, Open(invocation));
  TRY_ASSIGN(bool asked, store.records->RequestCancel(id, service::WallClock()));
  if (!asked) {
    return Fail(Error(ErrorCode::kNotFound, Cat("no build ", Printable(id), " is running"))
                    .WithHint("see depot-pool builds list"));
  }
  return Output{"", Cat("build ", id,
                        " is told to stop with its next sign of life, within seconds; "
                        "it loses its builder, or its place, after 60 s if it does not\n")};
}

}  // namespace

void AddBuilds(CLI::App& program, Command& chosen) {
  CLI::App* builds = program.add_subcommand("builds", "what is and was built");
  auto wanted = std::make_shared<Listing>();
  CLI::App* list = builds->add_subcommand("list", "the newest builds, and what became of them");
  list->add_option("--project", wanted->project, "only of this project")->type_name("P");
  list->add_option("--limit", wanted->limit, "how many; default: 50")
      ->type_name("N")
      ->check(CLI::Range(1, 100000).description(""));
  list->callback([&chosen, wanted] {
    chosen = [wanted](const Invocation& invocation) { return List(invocation, *wanted); };
  });
  auto id = std::make_shared<std::string>();
  CLI::App* cancel = builds->add_subcommand("cancel", "end a build that runs or waits");
  cancel->add_option("ID", *id, "as `builds list` shows it")->required();
  cancel->callback([&chosen, id] {
    chosen = [id](const Invocation& invocation) { return CancelBuild(invocation, *id); };
  });
}

}  // namespace depot
