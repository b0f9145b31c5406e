#include "plugin/command/bake_command.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include <unistd.h>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/session/secrets.h"
#include "plugin/bake/load.h"
#include "plugin/bake/print.h"
#include "plugin/bake/resolve.h"
#include "plugin/bake/words.h"
#include "plugin/command/bake_access.h"
#include "plugin/command/bake_flags.h"
#include "plugin/command/bake_remote.h"
#include "plugin/command/bake_run.h"
#include "plugin/command/build_parts.h"
#include "plugin/options/build_checks.h"
#include "plugin/options/build_flags.h"
#include "plugin/options/flag_values.h"
#include "plugin/options/settings.h"
#include "plugin/options/source_flags.h"
#include "plugin/plan/git_url.h"
#include "plugin/plan/plan.h"
#include "plugin/plan/ssh_offers.h"

namespace depot::command {
namespace {

/// What variables of the definition and of compose files can be: --var before the environment.
Environment VariablesOf(const BakeOptions& options, const Environment& environment) {
  const std::string off = Variable(environment, "BUILDX_BAKE_DISABLE_VARS_ENV_LOOKUP");
  Environment variables;
  if (!ParseBool(off).value_or(false)) variables = environment;
  for (const std::string& assignment : options.variables) {
    const std::size_t sign = assignment.find('=');
    variables[assignment.substr(0, sign)] = assignment.substr(sign + 1);
  }
  return variables;
}

/// --var of what no variable is called: a line for each. What compose files ask for nobody can
/// list.
std::vector<std::string> UselessVariables(const BakeOptions& options,
                                          const bake::Definition& definition,
                                          const std::vector<bake::DefinitionFile>& files) {
  std::vector<std::string> lines;
  const bool compose = std::any_of(files.begin(), files.end(), [](const auto& file) {
    return file.name.ends_with(".yaml") || file.name.ends_with(".yml");
  });
  if (compose) return lines;
  for (const std::string& assignment : options.variables) {
    const std::string name = assignment.substr(0, assignment.find('='));
    const bool known = std::any_of(definition.variables.begin(), definition.variables.end(),
                                   [&](const auto& variable) { return variable.name == name; });
    if (!known)
      lines.push_back(Cat("--var ", Printable(name),
                          " has no effect: no variable of the definition is called that"));
  }
  return lines;
}

Result<> RefuseRemoteFiles(const BakeOptions& options) {
  for (const std::string& file : options.files) {
    if (!plan::IsRemoteContext(file)) continue;
    return Fail(
        Error(ErrorCode::kInvalid, Cat("-f ", Printable(RedactUrls(file)), " is no file"))
            .WithHint("a definition elsewhere is the first argument: bake URL [TARGET...]"));
  }
  return {};
}

void AddEpoch(const Environment& environment, bake::Resolution& resolution) {
  const std::string epoch = Variable(environment, "SOURCE_DATE_EPOCH");
  if (epoch.empty()) return;
  for (auto& [name, fields] : resolution.targets)
    fields.args.try_emplace("SOURCE_DATE_EPOCH", epoch);
}

Result<bake::Overrides> OverridesOf(const BakeOptions& options,
                                    const bake::Definition& definition,
                                    const Environment& variables) {
  std::vector<std::string> settings = options.settings;
  if (!definition.targets.empty()) {
    for (std::string& setting : SettingsOf(options))
      settings.push_back(std::move(setting));
  }
  return bake::ReadOverrides(definition, settings, variables);
}

/// A file in place of a target is a forgotten -f.
Error NotFound(Error error, const std::vector<std::string>& targets) {
  for (const std::string& target : targets) {
    std::error_code none;
    const bool file =
        target.find('.') != std::string::npos && std::filesystem::is_regular_file(target, none);
    if (file) return std::move(error).WithHint(Cat(Printable(target), " is a file: give it by -f"));
  }
  return error;
}

/// An error about a target's field, which came from no command line.
Error OfTarget(const std::string& name, const Error& error) {
  const bool about_flags = error.hint().starts_with("see '");
  return Error(ErrorCode::kInvalid, error.message())
      .WithHint(about_flags ? "" : error.hint())
      .While(Cat("target ", name));
}

/// The fields whose form docker buildx looks at for --print, too. What it leaves to the build is
/// left out.
bake::Fields LookedAt(bake::Fields fields) {
  std::erase_if(fields.secret, [](const bake::Entry& secret) { return !secret.contains("src"); });
  fields.tags.reset();
  fields.args.clear();
  fields.labels.clear();
  fields.extra_hosts.clear();
  fields.cache_from.clear();
  fields.cache_to.reset();
  return fields;
}

Result<options::BuildOptions> OptionsOf(const bake::Fields& fields,
                                        const bake::Strings& more,
                                        options::BuildValues& values) {
  TRY_ASSIGN(bake::Strings words, bake::BuildWords(fields));
  words.insert(words.begin(), more.begin(), more.end());
  TRY_ASSIGN(options::BuildOptions options, values.Parse(words));
  options.dockerfile_inline = fields.dockerfile_inline;
  return options;
}

Result<std::map<std::string, std::string>> LinksOf(const bake::Fields& fields) {
  std::map<std::string, std::string> links;
  for (const auto& [name, value] : fields.contexts) {
    const std::string target = bake::LinkedTarget(value);
    if (target.empty()) continue;
    TRY_ASSIGN(std::string context, options::ParseContextName(name));
    links.emplace(std::move(context), target);
  }
  return links;
}

Result<BakeTarget> BakeTargetOf(const std::string& name,
                                const bake::Fields& fields,
                                const bake::Strings& more,
                                options::BuildValues& values) {
  BakeTarget target;
  target.name = name;
  auto options = OptionsOf(fields, more, values);
  if (!options) return Fail(OfTarget(name, options.error()));
  target.options = *std::move(options);
  auto links = LinksOf(fields);
  if (!links) return Fail(OfTarget(name, links.error()));
  target.links = *std::move(links);
  return target;
}

/// As docker buildx does for --print. A build looks at these itself, once it may.
Result<> CheckKeys(const options::BuildOptions& options, const Call& call) {
  TRY_ASSIGN(const auto secrets, plan::PlanSecrets(options, call.environment));
  TRY(session::CheckSecrets(secrets));
  TRY(plan::PlanSsh(options, call.environment, call.cancel));
  return {};
}

/// `more` are flags of each.
Result<std::vector<BakeTarget>> TargetsOf(const bake::Resolution& resolution,
                                          const bake::Strings& more,
                                          const Call& call) {
  std::vector<BakeTarget> targets;
  options::BuildValues values{std::string(call.program)};
  for (const auto& [name, fields] : resolution.targets) {
    TRY_ASSIGN(BakeTarget target, BakeTargetOf(name, fields, more, values));
    target.linked = resolution.linked.contains(name);
    targets.push_back(std::move(target));
  }
  return targets;
}

/// What --print looks at before it prints: at what many targets say alike once.
Result<> CheckTargets(const bake::Resolution& resolution,
                      const bake::Strings& more,
                      const Call& call) {
  options::BuildValues values{std::string(call.program)};
  std::set<bake::Strings> seen;
  for (const auto& [name, fields] : resolution.targets) {
    const bake::Fields looked = LookedAt(fields);
    const auto words = bake::BuildWords(looked);
    if (words && looked.contexts.empty() && !seen.insert(*words).second) continue;
    TRY_ASSIGN(const BakeTarget target, BakeTargetOf(name, looked, more, values));
    Result<> checked = CheckKeys(target.options, call);
    if (!checked) return Fail(OfTarget(name, checked.error()));
  }
  return {};
}

/// What the command line says of all targets, in each.
Result<> TakeCommon(const BakeOptions& line, std::vector<BakeTarget>& targets) {
  for (BakeTarget& target : targets) {
    options::BuildOptions& options = target.options;
    TakeTargetOptions(line, target.linked, options);
    options.metadata_wanted = !line.metadata_file.empty();
    options.allow_local_delete =
        std::find(line.allow.begin(), line.allow.end(), options::kLocalDelete) != line.allow.end();
    if (!options.call.method.empty() && !line.call.method.empty()) options.call = line.call;
    Result<> checked = options::CheckTogether(options);
    if (!checked) return Fail(OfTarget(target.name, checked.error()));
    options::ImplySbom(options);
  }
  const bool guards = std::any_of(targets.begin(), targets.end(), [](const BakeTarget& target) {
    return target.options.tagging.given();
  });
  if (guards || !line.common.tagging.given()) return {};
  return Fail(Error(ErrorCode::kUsage,
                    "--tag-guard and --merge-index are about tags that are pushed, and no target "
                    "pushes")
                  .WithHint("add --push"));
}

Result<> BuildAll(BakeOptions line,
                  BakeSources sources,
                  std::vector<BakeTarget> targets,
                  const Call& call) {
  if (targets.empty()) return {};
  TRY(options::ApplyProgressVariable(call.environment, line.common));
  TRY(TakeCommon(line, targets));
  const options::GlobalFlags globals = GlobalsOf(line.common, call);
  job::Workshop workshop(call.environment, globals, call.version);
  TRY(workshop.ReadDocker());
  return BuildTargets(targets, line, workshop, std::move(sources), call);
}

Result<> Bake(const Call& call) {
  TRY_ASSIGN(std::optional<BakeOptions> line, ParseBakeFlags(call));
  if (!line) return {};
  TRY(RefuseRemoteFiles(*line));
  const RemoteArguments remote = TakeRemoteArguments(line->targets);
  const Environment variables = VariablesOf(*line, call.environment);
  const auto files = remote.url.empty() ? bake::ReadDefinitionFiles(line->files, call.environment,
                                                                    STDIN_FILENO, call.cancel)
                                        : FetchDefinition(remote, *line, call);
  if (!files) return Fail(NotFound(files.error(), line->targets));
  TRY_ASSIGN(
      const bake::Definition definition,
      bake::LoadDefinition(*files, {variables, remote.context, Variable(call.environment, "HOME"),
                                    [&] { return ReadablePaths(line->allow, call.environment); }}));
  if (line->list) {
    const bool json = line->list->json;
    return call.terminal.WriteResult(line->list->variables ? bake::ListVariables(definition, json)
                                                           : bake::ListTargets(definition, json),
                                     call.cancel);
  }
  TRY_ASSIGN(const bake::Overrides overrides, OverridesOf(*line, definition, variables));
  auto resolved = bake::Resolve(definition, line->targets, overrides,
                                {remote.has_folders ? remote.url : "", line->print});
  if (!resolved) return Fail(NotFound(resolved.error(), line->targets));
  bake::Resolution& resolution = *resolved;
  std::vector<std::string> notices = std::move(resolution.notices);
  for (std::string& useless : UselessVariables(*line, definition, *files))
    notices.push_back(std::move(useless));
  AddEpoch(call.environment, resolution);
  const bake::Strings remote_words = RemoteWords(remote, call.environment);
  if (line->print) {
    TRY(CheckTargets(resolution, remote_words, call));
    for (const std::string& one : notices)
      call.terminal.WriteError(Cat("note: ", one, '\n'), call.cancel);
    return call.terminal.WriteResult(bake::PrintResolution(resolution), call.cancel);
  }
  TRY_ASSIGN(std::vector<BakeTarget> targets, TargetsOf(resolution, remote_words, call));
  const bool may_ask = line->common.progress != options::ProgressMode::kRawJson;
  TRY(AskForAccess(MissingAccess(targets, resolution, overrides, line->allow), may_ask,
                   !remote.url.empty(), call));
  BakeSources sources{{}, std::move(notices)};
  for (const bake::DefinitionFile& file : *files)
    sources.files.emplace_back(file.name, file.text.size());
  return BuildAll(*std::move(line), std::move(sources), std::move(targets), call);
}

}  // namespace

Result<> RunBake(const Call& call) {
  Result<> done = Bake(call);
  if (done || done.error().code() != ErrorCode::kUsage) return done;
  if (done.error().at() == FailedAt::kSettings) return done;
  const Error& error = done.error();
  return Fail(Error(ErrorCode::kInvalid, error.message())
                  .WithHint(error.hint())
                  .WithExcerpt(error.excerpt()));
}

}  // namespace depot::command
