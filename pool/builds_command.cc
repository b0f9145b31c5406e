#include "pool/commands.h"
#include "pool/records/records.h"
#include "pool/settings/settings.h"
#include "pool/settings/timestamp.h"

#include "driver/base/shown.h"
#include "driver/base/text.h"

namespace depot {
namespace {

constexpr int kListed = 50;

Result<Output> List(const Invocation& invocation, records::Records& records) {
  std::int64_t limit = kListed;
  std::string wanted = invocation.arguments.Option("--limit");
  if (!wanted.empty()) {
    std::optional<std::uint64_t> number = ParseDecimal(wanted);
    if (!number || *number == 0 || *number > 100000) {
      return Fail(ErrorCode::kUsage, "--limit is a number from 1 to 100000");
    }
    limit = static_cast<std::int64_t>(*number);
  }
  TRY_ASSIGN(auto builds,
             records.List(invocation.arguments.Option("--project"), static_cast<int>(limit), 0));
  Output output;
  for (const records::BuildRecord& build : builds) {
    std::string state = records::StateName(build.state);
    state.resize(9, ' ');
    output.out += Cat(build.id, "  ", state, "  ", settings::FormatTime(build.created_at), "  ",
                      build.project, "  by ", Printable(build.creator),
                      build.error.empty() ? "" : "  ", build.error.substr(0, 120), '\n');
  }
  return output;
}

}  // namespace

Result<Output> RunBuilds(const Invocation& invocation) {
  const std::vector<std::string>& words = invocation.arguments.words;
  std::string verb = words.empty() ? "" : words[0];
  bool list = verb == "list" && words.size() == 1;
  bool cancel = verb == "cancel" && words.size() == 2;
  if (!list && !cancel) {
    return Fail(WrongUsage(
        "depot-pool builds list [--project P] [--limit N], depot-pool builds cancel ID"));
  }
  TRY_ASSIGN(settings::Settings known, settings::ReadSettings(invocation.settings_file));
  TRY_ASSIGN(auto records, records::OpenRecords(known.state));
  if (list) return List(invocation, *records);
  TRY_ASSIGN(bool asked, records->RequestCancel(words[1], service::WallClock()));
  if (!asked) {
    return Fail(Error(ErrorCode::kNotFound, Cat("no build ", Printable(words[1]), " is running"))
                    .WithHint("see depot-pool builds list"));
  }
  return Output{"", Cat("build ", words[1],
                        " is told to stop with its next sign of life, within seconds; "
                        "it loses its builder after 60 s if it does not\n")};
}

}  // namespace depot
