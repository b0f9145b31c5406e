#include "plugin/command/project_commands.h"

#include <limits>

#include <unistd.h>

#include "driver/base/json.h"
#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "plugin/command/account.h"
#include "plugin/command/answer_line.h"
#include "plugin/command/command_line.h"
#include "plugin/command/listing.h"
#include "plugin/progress/line_sink.h"

namespace depot::command {
namespace {

constexpr std::int64_t kGigabyte = 1 << 30;

/// A whole number, 0 = no limit; "" when it is none, negative or more than `most`.
Result<std::int64_t> ParseLimit(const std::string& value, std::int64_t most) {
  const auto number = ParseDecimal(value);
  if (number && *number <= static_cast<std::uint64_t>(most)) {
    return static_cast<std::int64_t>(*number);
  }
  return Fail(ErrorCode::kUsage,
              Cat("\"", Printable(value), "\" is no whole number from 0 to ", most));
}

Result<std::int64_t> ParseGigabytes(const std::string& value) {
  TRY_ASSIGN(const std::int64_t gigabytes,
             ParseLimit(value, std::numeric_limits<std::int64_t>::max() / kGigabyte));
  return gigabytes * kGigabyte;
}

Result<std::int32_t> ParseDays(const std::string& value) {
  TRY_ASSIGN(const std::int64_t days, ParseLimit(value, std::numeric_limits<std::int32_t>::max()));
  return static_cast<std::int32_t>(days);
}

/// As Go's encoding/json writes the official client's structure, which leaves out zeros.
Json PolicyJson(const api::CachePolicy& cache) {
  Json json = Json::Object();
  if (cache.keep_bytes != 0) json.Set("keep_bytes", Json::Number(cache.keep_bytes));
  if (cache.keep_days != 0) json.Set("keep_days", Json::Number(std::int64_t{cache.keep_days}));
  return json;
}

std::string JsonText(const api::ProjectDetails& project) {
  Json json = Json::Object();
  json.Set("project_id", Json::String(project.id));
  json.Set("organization_id", Json::String(project.organization_id));
  json.Set("name", Json::String(project.name));
  json.Set("region_id", Json::String(project.region));
  if (project.created_at != 0) {
    json.Set("created_at", Json::String(FormatTime(project.created_at)));
  }
  if (project.cache) json.Set("cache_policy", PolicyJson(*project.cache));
  return Cat(json.Dump(2), '\n');
}

std::string ShownStorage(std::int64_t bytes) {
  if (bytes == 0) return "No limit";
  return bytes % kGigabyte == 0 ? Cat(bytes / kGigabyte, " GB") : Cat(bytes, " bytes");
}

std::string PeoplesText(const api::ProjectDetails& project) {
  const std::string created = FormatTime(project.created_at);
  std::string text =
      Cat("Project ID:       ", project.id, "\nOrganization ID:  ", project.organization_id,
          "\nName:             ", project.name, "\nRegion:           ", project.region,
          "\nCreated:          ", created.empty() ? "-" : created, '\n');
  if (!project.cache) return text;
  const std::int32_t days = project.cache->keep_days;
  return Cat(text, "Cache storage:    ", ShownStorage(project.cache->keep_bytes),
             "\nCache retention:  ", days == 0 ? "No limit" : Cat(days, " days"), '\n');
}

/// What the four commands share: flags, the project that is meant, the API.
struct ProjectCall {
  Secret token;
  std::string argument;
  std::string project;
  bool json = false;

  flags::Flag Output() {
    return {"output",
            'o',
            flags::FlagKind::kText,
            "string",
            "Format: \"json\" (default: for people)",
            [this](const std::string& value) -> Result<> {
              json = value == "json";
              if (json || value.empty()) return {};
              return Fail(ErrorCode::kUsage, Cat("--output: unknown format \"", Printable(value),
                                                 "\"; there is json"));
            }};
  }
  flags::Flag Id() {
    return {"project-id",
            'p',
            flags::FlagKind::kText,
            "string",
            "ID of the project (default $DEPOT_PROJECT_ID, or depot.json)",
            flags::Into(project)};
  }
  std::string Shown(const api::ProjectDetails& details) const {
    return json ? JsonText(details) : PeoplesText(details);
  }
  /// The project meant, asked of nobody.
  Result<std::string> Project(Account& account) const {
    if (!argument.empty() && !project.empty()) {
      return Fail(ErrorCode::kUsage, "the project is named twice: as an argument and by a flag");
    }
    return account.Project(argument.empty() ? project : argument, "");
  }
};

/// Opened for one command.
class OpenAccount {
 public:
  explicit OpenAccount(const Call& call)
      : sink_(call.terminal, call.cancel),
        workshop_(call.environment, call.globals, call.version) {}

  Result<Account*> Open() {
    TRY_ASSIGN(account_, Account::Open(workshop_, sink_));
    return account_.get();
  }
  EventSink& sink() { return sink_; }

 private:
  LineSink sink_;
  job::Workshop workshop_;
  std::unique_ptr<Account> account_;
};

/// Whether somebody at the terminal says yes.
Result<bool> SaysYes(const std::string& project, EventSink& sink, const Call& call) {
  if (::isatty(STDIN_FILENO) == 0 || !call.terminal.error_is_terminal()) {
    return Fail(Error(ErrorCode::kUsage,
                      "projects delete needs --yes when there is no terminal to ask on"));
  }
  sink.Say(Cat("Delete the project ", Printable(project), " with its build cache? [y/N]"));
  TRY_ASSIGN(const std::string answer, ReadAnswerLine(call.cancel));
  return answer == "y" || answer == "Y" || answer == "yes";
}

}  // namespace

Result<> RunProjectsCreate(const Call& call) {
  ProjectCall asked;
  api::NewProject project;
  project.region = "us-east-1";
  project.cache = {50 * kGigabyte, 14};
  TRY_ASSIGN(
      bool runs,
      ReadCommandLine(
          {.words = "projects create",
           .description = "Make a project, and print it as JSON",
           .flags = {{"cache-policy-keep-days", 0, flags::FlagKind::kText, "int",
                      "Days to keep build cache; 0 = no limit (default 14)",
                      flags::Parsed(project.cache.keep_days, ParseDays)},
                     {"cache-storage-policy", 0, flags::FlagKind::kText, "int",
                      "Build cache to keep for each architecture, in GB; 0 = no limit (default 50)",
                      flags::Parsed(project.cache.keep_bytes, ParseGigabytes)},
                     {"organization", 'o', flags::FlagKind::kText, "string",
                      "ID of the organization", flags::Into(project.organization_id)},
                     {"region", 0, flags::FlagKind::kText, "string",
                      "Where the build's data is kept (default \"us-east-1\")",
                      flags::Into(project.region)},
                     TokenFlag(asked.token)},
           .argument = "NAME",
           .target = &project.name},
          call));
  if (!runs) return {};
  if (project.name.empty()) {
    return Fail(ErrorCode::kUsage, "projects create needs the name of the project");
  }
  TRY(call.terminal.CheckResult());
  OpenAccount opened(call);
  TRY_ASSIGN(Account * account, opened.Open());
  TRY_ASSIGN(const api::Token token, account->Token(asked.token, call.cancel));
  TRY_ASSIGN(const api::ProjectDetails made,
             account->more().CreateProject(token, project, call.cancel));
  Json json = Json::Object();
  json.Set("project_id", Json::String(made.id));
  json.Set("name", Json::String(made.name));
  if (made.cache) json.Set("cache_policy", PolicyJson(*made.cache));
  return call.terminal.WriteResult(Cat(json.Dump(), '\n'), call.cancel);
}

Result<> RunProjectsGet(const Call& call) {
  ProjectCall asked;
  TRY_ASSIGN(bool runs,
             ReadCommandLine({.words = "projects get",
                              .description = "Show what the API says of a project",
                              .flags = {asked.Output(), asked.Id(), TokenFlag(asked.token)},
                              .argument = "[ID]",
                              .target = &asked.argument},
                             call));
  if (!runs) return {};
  TRY(call.terminal.CheckResult());
  OpenAccount opened(call);
  TRY_ASSIGN(Account * account, opened.Open());
  TRY_ASSIGN(const std::string project, asked.Project(*account));
  TRY_ASSIGN(const api::Token token, account->Token(asked.token, call.cancel));
  TRY_ASSIGN(const api::ProjectDetails details,
             account->more().GetProject(token, project, call.cancel));
  return call.terminal.WriteResult(asked.Shown(details), call.cancel);
}

Result<> RunProjectsUpdate(const Call& call) {
  ProjectCall asked;
  api::ProjectChange change;
  std::optional<std::int64_t> keep_bytes;
  auto some = [](const std::string& value) -> Result<std::string> { return value; };
  TRY_ASSIGN(bool runs,
             ReadCommandLine(
                 {.words = "projects update",
                  .description = "Change what is given of a project, and nothing else",
                  .flags = {{"cache-storage-policy", 0, flags::FlagKind::kText, "int",
                             "Build cache to keep for each architecture, in GB; 0 = no limit",
                             flags::Parsed(keep_bytes, ParseGigabytes)},
                            {"name", 0, flags::FlagKind::kText, "string", "Its name",
                             flags::Parsed(change.name, some)},
                            {"region", 0, flags::FlagKind::kText, "string",
                             "Where the build's data is kept", flags::Parsed(change.region, some)},
                            asked.Output(),
                            asked.Id(),
                            TokenFlag(asked.token)},
                  .argument = "[ID]",
                  .target = &asked.argument},
                 call));
  if (!runs) return {};
  if (!keep_bytes && !change.name && !change.region) {
    return Fail(Error(ErrorCode::kUsage, "nothing is to be changed")
                    .WithHint("give --name, --region or --cache-storage-policy"));
  }
  TRY(call.terminal.CheckResult());
  OpenAccount opened(call);
  TRY_ASSIGN(Account * account, opened.Open());
  TRY_ASSIGN(const std::string project, asked.Project(*account));
  TRY_ASSIGN(const api::Token token, account->Token(asked.token, call.cancel));
  if (keep_bytes) {
    // The API takes the policy as a whole.
    TRY_ASSIGN(const api::ProjectDetails now,
               account->more().GetProject(token, project, call.cancel));
    change.cache = api::CachePolicy{*keep_bytes, now.cache ? now.cache->keep_days : 0};
  }
  TRY_ASSIGN(const api::ProjectDetails details,
             account->more().UpdateProject(token, project, change, call.cancel));
  return call.terminal.WriteResult(asked.Shown(details), call.cancel);
}

Result<> RunProjectsDelete(const Call& call) {
  ProjectCall asked;
  bool yes = false;
  flags::Flag token_flag = TokenFlag(asked.token);
  token_flag.letter = 't';
  TRY_ASSIGN(
      bool runs,
      ReadCommandLine(
          {.words = "projects delete",
           .description = "Remove a project with its build cache",
           .flags = {{"project-id", 'p', flags::FlagKind::kText, "string", "ID of the project",
                      flags::Into(asked.project)},
                     token_flag,
                     {"yes", 'y', flags::FlagKind::kSwitch, "", "Do not ask", flags::Into(yes)}}},
          call));
  if (!runs) return {};
  if (asked.project.empty()) {
    return Fail(Error(ErrorCode::kUsage, "projects delete needs --project-id")
                    .WithHint("what is removed is always named here, never taken from depot.json; "
                              "the command list projects shows the IDs"));
  }
  OpenAccount opened(call);
  TRY_ASSIGN(Account * account, opened.Open());
  TRY_ASSIGN(const api::Token token, account->Token(asked.token, call.cancel));
  if (!yes) {
    TRY_ASSIGN(yes, SaysYes(asked.project, opened.sink(), call));
  }
  if (!yes) return call.terminal.WriteResult("Nothing was deleted.\n", call.cancel);
  TRY(account->more().DeleteProject(token, asked.project, call.cancel));
  return call.terminal.WriteResult(
      Cat("Successfully deleted project ", Printable(asked.project), '\n'), call.cancel);
}

}  // namespace depot::command
