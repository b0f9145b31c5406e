#include <CLI/CLI.hpp>

#include "driver/base/text.h"
#include "pool/commands.h"
#include "pool/records/store.h"
#include "pool/settings/settings.h"

namespace depot {
namespace {

Result<Output> Migrate(const Invocation& invocation) {
  TRY_ASSIGN(settings::Settings known, settings::ReadSettings(invocation.settings_file));
  if (known.store.empty()) {
    return Fail(Error(ErrorCode::kUsage, Cat(invocation.settings_file, " names no database"))
                    .WithHint("add `store: postgresql://...` to it, and stop the pool"));
  }
  TRY_ASSIGN(std::int64_t builds, records::CopyFileToDatabase(known));
  return Output{"",
                Cat(builds,
                    " builds are in the database, with their places in the queue; start "
                    "the pools now. Tokens of the settings go on counting; new ones are made in "
                    "the database. Nobody needs builds.sqlite any more\n")};
}

}  // namespace

void AddMigrate(CLI::App& program, Command& chosen) {
  program
      .add_subcommand(
          "migrate",
          "copy the records of a stopped pool, builds.sqlite, to the empty database that "
          "`store` names")
      ->callback([&chosen] { chosen = Migrate; });
}

}  // namespace depot
