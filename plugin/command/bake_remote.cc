#include "plugin/command/bake_remote.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <iterator>
#include <optional>
#include <utility>

#include <unistd.h>

#include "driver/base/json.h"
#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/disk/read_file.h"
#include "driver/disk/temporary_folder.h"
#include "plugin/bake/definition.h"
#include "plugin/bake/load.h"
#include "plugin/command/build_output.h"
#include "plugin/command/build_parts.h"
#include "plugin/command/chosen_display.h"
#include "plugin/job/job.h"
#include "plugin/job/remote_text.h"
#include "plugin/job/target.h"
#include "plugin/options/build_flags.h"
#include "plugin/plan/description.h"
#include "plugin/plan/git_url.h"
#include "plugin/progress/line_sink.h"

namespace depot::command {
namespace {

namespace fs = std::filesystem;

std::string PathOf(const std::string& url) {
  return url.substr(0, url.find_first_of("?#"));
}

/// As a builder unpacks one (BuildKit frontend/dockerui/context.go).
bool IsArchive(const std::string& url) {
  constexpr std::array<std::string_view, 6> kEnds = {".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst"};
  const std::string path = LowerAscii(PathOf(url));
  return std::any_of(kEnds.begin(), kEnds.end(),
                     [&](std::string_view end) { return path.ends_with(end); });
}

/// A pattern that one path matches; `may_lack`: that it matches nothing is no error.
std::string PatternOf(const std::string& path, bool may_lack) {
  constexpr std::string_view kSpecial = "*?[\\";
  std::string pattern;
  for (std::size_t i = 0; i < path.size(); ++i) {
    const bool last = may_lack && i + 1 == path.size();
    const bool special = kSpecial.find(path[i]) != std::string_view::npos;
    pattern += special || last ? Cat('[', path[i], ']') : std::string(1, path[i]);
  }
  return pattern;
}

/// Copies each of `names` into a folder of its own: its number.
std::string DockerfileFor(const bake::Strings& names, bool may_lack) {
  std::string text = "FROM scratch\n";
  for (std::size_t i = 0; i < names.size(); ++i) {
    Json words = Json::Array();
    words.Append(Json::String(PatternOf(names[i], may_lack)));
    words.Append(Json::String(Cat('/', i, '/')));
    text += Cat("COPY ", words.Dump(), '\n');
  }
  return text;
}

/// The only file in `folder`; nullopt: there is none. What is there was written by a builder: links
/// lead nowhere.
Result<std::optional<std::string>> OnlyFile(const fs::path& folder) {
  std::error_code error;
  if (fs::symlink_status(folder, error).type() != fs::file_type::directory) return std::nullopt;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    if (entry.symlink_status(error).type() != fs::file_type::regular) continue;
    return disk::ReadFileIfThere(entry.path().string());
  }
  return std::nullopt;
}

/// A build whose result is the files.
Result<> BuildFolder(const options::BuildOptions& options,
                     job::Workshop& workshop,
                     const Call& call) {
  TRY(workshop.ReadDocker());
  Streams streams(call.terminal);
  job::Target target(options, workshop, streams);
  LineSink early(call.terminal, call.cancel);
  TRY(target.Prepare(early, call.cancel));
  TRY_ASSIGN(auto reports, BuildOutput::OpenReports(options));
  TRY_ASSIGN(choice::Choice choice, ChooseBuilderOf(options, workshop, call));
  choice.default_load = false;
  TRY_ASSIGN(ChosenDisplay chosen, ChooseDisplay(call, options.progress));
  chosen.options.title = "the definition";
  chosen.options.expand_warnings = workshop.debug();
  TRY_ASSIGN(auto output, BuildOutput::Open(chosen.options, options, std::move(reports),
                                            workshop.masks(), call.terminal));
  const std::string project = choice.hosted ? choice.hosted->project.id : "";
  Result<> done;
  {
    auto job = job::Job::Start(workshop, std::move(choice), plan::DescribeBuild(options, project),
                               output->sink(), call.cancel);
    if (!job) {
      done = Fail(std::move(job).error());
    } else {
      auto outcome = target.Build(**job, output->sink(), call.cancel);
      if (!outcome) done = Fail(output->Told(outcome.error()));
      (*job)->Finish(done ? nullptr : &done.error());
    }
  }
  TRY(output->Finish(done ? nullptr : &done.error(), nullptr));
  return done;
}

Result<std::vector<bake::DefinitionFile>> FetchByBuilder(const RemoteArguments& remote,
                                                         bake::Strings names,
                                                         const BakeOptions& line,
                                                         const Call& call) {
  const options::GlobalFlags globals = GlobalsOf(line.common, call);
  job::Workshop workshop(call.environment, globals, call.version);
  TRY_ASSIGN(const disk::TemporaryFolder folder,
             disk::TemporaryFolder::Make(workshop.TemporaryDirectory()));
  const bool may_lack = names.empty();
  if (may_lack) names = bake::DefaultNames();
  std::vector<std::string> words = RemoteWords(remote, call.environment);
  for (std::string word : {Cat("--output=type=local,platform-split=false,dest=", folder.path()),
                           std::string("--provenance=false"), std::string("--"), remote.url}) {
    words.push_back(std::move(word));
  }
  TRY_ASSIGN(options::BuildOptions options,
             options::BuildValues(std::string(call.program)).Parse(words));
  TakeCommonOptions(line, options);
  options.project = line.common.project;
  options.progress = line.common.progress;
  options.dockerfile_inline = DockerfileFor(names, may_lack);
  TRY(BuildFolder(options, workshop, call));
  std::vector<bake::DefinitionFile> files;
  for (std::size_t i = 0; i < names.size(); ++i) {
    TRY_ASSIGN(std::optional<std::string> text, OnlyFile(fs::path(folder.path()) / Cat(i)));
    if (text && !text->empty()) files.push_back({names[i], *std::move(text)});
  }
  if (!files.empty()) return files;
  return Fail(ErrorCode::kNotFound,
              Cat("couldn't find a bake definition in ", Printable(RedactUrls(remote.url))));
}

}  // namespace

RemoteArguments TakeRemoteArguments(std::vector<std::string>& targets) {
  RemoteArguments remote;
  const auto take = [&](std::string& into) {
    if (targets.empty() || !plan::IsRemoteContext(targets.front())) return false;
    into = std::move(targets.front());
    targets.erase(targets.begin());
    return true;
  };
  if (take(remote.url)) take(remote.context);
  remote.has_folders = plan::ParseGitUrl(remote.url).has_value() || IsArchive(remote.url);
  return remote;
}

std::vector<std::string> RemoteWords(const RemoteArguments& remote,
                                     const Environment& environment) {
  if (remote.url.empty()) return {};
  std::vector<std::string> words;
  constexpr std::string_view kOfBake = "BUILDX_BAKE_";
  for (const std::string& variable :
       std::vector<std::string>{"BUILDX_BAKE_GIT_AUTH_TOKEN", "BUILDX_BAKE_GIT_AUTH_HEADER"}) {
    if (Variable(environment, variable).empty()) continue;
    words.push_back(Cat("--secret=id=", variable.substr(kOfBake.size()), ",env=", variable));
  }
  const std::string ssh = Variable(environment, "BUILDX_BAKE_GIT_SSH");
  if (!ssh.empty()) words.push_back(Cat("--ssh=default=", ssh));
  return words;
}

Result<std::vector<bake::DefinitionFile>> FetchDefinition(const RemoteArguments& remote,
                                                          const BakeOptions& line,
                                                          const Call& call) {
  const bake::Strings names = bake::NamedFiles(line.files, call.environment);
  bake::Strings here;
  bake::Strings there;
  for (const std::string& name : names)
    (name.starts_with(bake::kHere) ? here : there).push_back(name);
  std::vector<bake::DefinitionFile> files;
  if (names.empty() || !there.empty()) {
    if (remote.has_folders) {
      TRY_ASSIGN(files, FetchByBuilder(remote, there, line, call));
    } else {
      LineSink sink(call.terminal, call.cancel);
      job::Workshop workshop(call.environment, call.globals, call.version);
      workshop.SayTo(&sink);
      TRY_ASSIGN(std::string text,
                 job::FetchText(workshop.http(), remote.url, "the definition", call.cancel));
      const std::string path = PathOf(remote.url);
      files.push_back({path.substr(path.rfind('/') + 1), std::move(text)});
    }
  }
  if (here.empty()) return files;
  TRY_ASSIGN(auto own,
             bake::ReadDefinitionFiles(here, call.environment, STDIN_FILENO, call.cancel));
  std::move(own.begin(), own.end(), std::back_inserter(files));
  return files;
}

}  // namespace depot::command
