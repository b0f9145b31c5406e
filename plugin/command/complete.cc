#include "plugin/command/complete.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <optional>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/builder/instance_store.h"
#include "driver/builder/instances.h"
#include "driver/disk/read_file.h"
#include "driver/flags/flag_table.h"
#include "plugin/bake/load.h"
#include "plugin/command/invocation.h"
#include "plugin/job/workshop.h"
#include "plugin/plan/dockerfile_names.h"

namespace depot::command {
namespace {

constexpr int kNoSpace = 2;
constexpr int kNoFiles = 4;
constexpr int kFoldersOnly = 16;
constexpr std::size_t kDescriptionLength = 80;

struct Candidate {
  std::string text;
  std::string description;
};

struct Candidates {
  std::vector<Candidate> all;
  int directive = kNoFiles;
};

Candidates Just(std::initializer_list<std::string_view> texts) {
  Candidates found;
  for (std::string_view text : texts)
    found.all.push_back({std::string(text), ""});
  return found;
}

Candidates Just(const std::vector<std::string>& texts) {
  Candidates found;
  for (const std::string& text : texts)
    found.all.push_back({Printable(text), ""});
  return found;
}

/// The line of a command as far as it is written.
struct Line {
  const Command* command = nullptr;
  std::string group;                   ///< words that have only begun a command
  std::vector<std::string> arguments;  ///< of the command, finished ones
  std::vector<flags::Flag> flags;      ///< of the command, or those in front of one
};

const flags::Flag* FlagNamed(const std::vector<flags::Flag>& table, std::string_view word) {
  if (word.size() < 2 || word[0] != '-') return nullptr;
  const bool whole = word[1] == '-';
  const std::string_view name = whole ? word.substr(2, word.find('=') - 2) : word;
  for (const flags::Flag& flag : table) {
    if (whole ? flag.name == name : flag.letter == word.back()) return &flag;
  }
  return nullptr;
}

/// The flag whose value the next word is.
const flags::Flag* WaitingFlag(const std::vector<flags::Flag>& table, std::string_view word) {
  if (word.find('=') != std::string_view::npos) return nullptr;
  const flags::Flag* flag = FlagNamed(table, word);
  return flag != nullptr && flag->kind == flags::FlagKind::kText ? flag : nullptr;
}

/// `words` without flags and their values.
std::vector<std::string> PlainWords(const std::vector<flags::Flag>& table,
                                    const std::vector<std::string>& words) {
  std::vector<std::string> plain;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (!words[i].starts_with('-') || words[i] == "-") {
      plain.push_back(words[i]);
    } else if (WaitingFlag(table, words[i]) != nullptr) {
      ++i;
    }
  }
  return plain;
}

std::vector<flags::Flag> FlagsOf(const Command& command, const Call& call) {
  std::vector<flags::Flag> table;
  Call asking = call;
  asking.flags_only = &table;
  // These have none, and would print.
  const bool plain = command.words == "help" || command.words == "version";
  if (!plain) (void)command.run(asking);
  return table;
}

Line UnfinishedLine(std::vector<std::string> words, const Call& call) {
  Line line;
  line.flags = GlobalFlags();
  while (!words.empty()) {
    const std::string word = words.front();
    words.erase(words.begin());
    if (word.starts_with('-')) {
      if (WaitingFlag(line.flags, word) != nullptr && !words.empty()) words.erase(words.begin());
      continue;
    }
    const std::string name = line.group.empty() ? word : Cat(line.group, ' ', word);
    line.command = FindCommand(name);
    if (line.command != nullptr) break;
    line.group = name;
  }
  if (line.command == nullptr) return line;
  line.flags = FlagsOf(*line.command, call);
  line.arguments = std::move(words);
  return line;
}

Candidates NextCandidates(std::string_view group) {
  Candidates found;
  for (std::string_view word : NextWords(group)) {
    const Command* command = FindCommand(group.empty() ? std::string(word) : Cat(group, ' ', word));
    found.all.push_back({std::string(word), std::string(command ? command->summary : "")});
  }
  return found;
}

Candidates FlagCandidates(const std::vector<flags::Flag>& table) {
  Candidates found;
  for (const flags::Flag& flag : table) {
    if (!flag.help.empty()) found.all.push_back({Cat("--", flag.name), std::string(flag.help)});
  }
  return found;
}

Candidates Builders(const Call& call) {
  job::Workshop workshop(call.environment, call.globals, call.version);
  if (!workshop.ReadDocker()) return {};
  const job::DockerSetup& docker = workshop.docker();
  Candidates found =
      Just(builder::InstanceStore(
               builder::BuildxFolder(call.environment, docker.credentials.config.directory))
               .Names());
  if (docker.engine) found.all.push_back({docker.engine->context_name, "the Docker Engine"});
  return found;
}

/// Of builds that were started on this machine; their builders are not asked.
Candidates Refs(const Call& call) {
  constexpr std::size_t kMostRefs = 1000;
  job::Workshop workshop(call.environment, call.globals, call.version);
  if (!workshop.ReadDocker()) return {};
  const std::string& config = workshop.docker().credentials.config.directory;
  std::vector<std::string> refs;
  std::error_code error;
  const std::string folder = builder::BuildxFolder(call.environment, config) + "/refs";
  for (std::filesystem::recursive_directory_iterator at(folder, error), end;
       !error && at != end && refs.size() < kMostRefs; at.increment(error)) {
    const bool grouped = at->path().string().starts_with(folder + "/__group__");
    if (at.depth() == 2 && !grouped) refs.push_back(at->path().filename().string());
  }
  return Just(refs);
}

/// All values of the flag on the line.
std::vector<std::string> ValuesOf(const Line& line, std::string_view name) {
  std::vector<std::string> values;
  for (std::size_t i = 0; i < line.arguments.size(); ++i) {
    const std::string& word = line.arguments[i];
    const flags::Flag* flag = FlagNamed(line.flags, word);
    if (flag == nullptr || flag->name != name) continue;
    const std::size_t equals = word.find('=');
    if (equals != std::string::npos) {
      values.push_back(word.substr(equals + 1));
    } else if (i + 1 < line.arguments.size()) {
      values.push_back(line.arguments[i + 1]);
    }
  }
  return values;
}

/// The last value; "" = it is not there.
std::string ValueOf(const Line& line, std::string_view name) {
  std::vector<std::string> values = ValuesOf(line, name);
  return values.empty() ? "" : std::move(values.back());
}

/// Of the definition that the line names: what `bake` can build. A shell waits for no pipe.
Candidates BakeTargets(const Line& line, const Call& call) {
  const Cancel soon = call.cancel.WithTimeout(std::chrono::seconds(1), "the definition");
  auto files = bake::ReadDefinitionFiles(ValuesOf(line, "file"), call.environment, -1, soon);
  if (!files) return {};
  auto definition = bake::LoadDefinition(
      *files, {call.environment, "cwd://", Variable(call.environment, "HOME")});
  if (!definition) return {};
  Candidates found;
  for (const auto& [name, group] : definition->groups)
    found.all.push_back({name, group.description.value_or("")});
  for (const auto& [name, fields] : definition->targets)
    found.all.push_back({name, fields.description.value_or("")});
  return found;
}

/// Of the Dockerfile that the line names; a line is often written before its context is.
plan::DockerfileNames NamesOf(const Line& line) {
  const std::vector<std::string> places = PlainWords(line.flags, line.arguments);
  std::string path = ValueOf(line, "file");
  if (path.empty()) path = Cat(places.empty() ? "." : places.front(), "/Dockerfile");
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) return {};
  auto text = disk::ReadFileIfThere(path);
  if (!text || !*text) return {};
  return plan::NamesIn(**text).value_or(plan::DockerfileNames());
}

/// Several platforms stand in one word: what is before the last comma stays.
Candidates Platforms(std::string_view part) {
  const std::size_t comma = part.rfind(',');
  const std::string_view before = comma == std::string_view::npos ? "" : part.substr(0, comma + 1);
  Candidates found;
  for (const char* name : {"linux/amd64", "linux/arm64", "linux/arm/v7", "linux/arm/v6",
                           "linux/386", "linux/ppc64le", "linux/riscv64", "linux/s390x"}) {
    found.all.push_back({Cat(before, name), ""});
  }
  found.directive |= kNoSpace;
  return found;
}

Candidates BuildArgs(const Line& line) {
  Candidates found;
  for (const std::string& name : NamesOf(line).args)
    found.all.push_back({Cat(Printable(name), '='), ""});
  found.directive |= kNoSpace;
  return found;
}

/// The values that a flag is known to have; else files, which is what most others take.
Candidates Values(std::string_view flag,
                  std::string_view part,
                  const Line& line,
                  const Call& call) {
  if (flag == "progress") {
    return Just({"auto", "gitlab", "none", "plain", "quiet", "rawjson", "tty"});
  }
  if (flag == "platform") return Platforms(part);
  if (flag == "builder") return Builders(call);
  if (flag == "target" || flag == "no-cache-filter") return Just(NamesOf(line).stages);
  if (flag == "build-arg") return BuildArgs(line);
  if (flag == "call") return Just({"build", "check", "outline", "targets"});
  if (flag == "context-times") return Just({"content", "file"});
  if (flag == "context-compression") return Just({"auto", "off"});
  if (flag == "normalize-modes") return Just({"git", "off"});
  if (flag == "provenance") return Just({"false", "mode=max", "mode=min", "true"});
  if (flag == "sbom") return Just({"false", "true"});
  if (flag == "network") return Just({"default", "host", "none"});
  if (flag == "build-platform") return Just({"dynamic", "linux/amd64", "linux/arm64"});
  if (flag == "tag-guard") return Just({"ci"});
  if (flag == "driver") return Just({"docker-container", "kubernetes", "remote"});
  return {{}, 0};
}

bool TakesBuilders(std::string_view command) {
  constexpr std::string_view kOfBuilders[] = {"inspect", "use", "rm", "stop"};
  return std::find(std::begin(kOfBuilders), std::end(kOfBuilders), command) !=
         std::end(kOfBuilders);
}

Candidates Arguments(const Line& line, const Call& call) {
  const std::string_view command = line.command->words;
  if (command == "build" || command == "init") return {{}, kFoldersOnly};
  if (command == "bake") return BakeTargets(line, call);
  if (command == "help") return NextCandidates("");
  if (command == "completion") return Just({"bash", "fish", "zsh"});
  if (TakesBuilders(command)) return Builders(call);
  if (command.starts_with("history ") && command != "history ls") return Refs(call);
  return {};
}

Candidates Find(const Line& line, std::string_view last, std::string_view part, const Call& call) {
  if (const flags::Flag* waiting = WaitingFlag(line.flags, last)) {
    return Values(waiting->name, part, line, call);
  }
  const std::size_t equals = part.find('=');
  if (part.starts_with("--") && equals != std::string_view::npos) {
    const flags::Flag* flag = FlagNamed(line.flags, part);
    return flag ? Values(flag->name, part.substr(equals + 1), line, call) : Candidates();
  }
  if (part.starts_with('-')) return FlagCandidates(line.flags);
  return line.command == nullptr ? NextCandidates(line.group) : Arguments(line, call);
}

/// A help text is a sentence; what does not fit beside a candidate is left out.
std::string OnALine(std::string text) {
  text = Printable(text.substr(0, text.find('\n')));
  if (text.size() > kDescriptionLength) text = text.substr(0, kDescriptionLength - 3) + "...";
  return text;
}

}  // namespace

std::string Complete(const CompletionRequest& request, const Call& call) {
  std::vector<std::string> words = request.words;
  // Docker begins with the name of its plugin.
  if (!words.empty() && (words.front() == "depot" || words.front() == "buildx")) {
    words.erase(words.begin());
  }
  std::string part;
  if (!words.empty()) {
    part = std::move(words.back());
    words.pop_back();
  }
  const std::string last = words.empty() ? "" : words.back();
  const Candidates found = Find(UnfinishedLine(std::move(words), call), last, part, call);
  const std::size_t equals = part.starts_with("--") ? part.find('=') : std::string::npos;
  const std::string wanted = equals == std::string::npos ? part : part.substr(equals + 1);
  std::string answer;
  for (const Candidate& one : found.all) {
    if (!one.text.starts_with(wanted)) continue;
    const bool told = request.descriptions && !one.description.empty();
    answer += told ? Cat(one.text, '\t', OnALine(one.description), '\n') : Cat(one.text, '\n');
  }
  return Cat(answer, ':', found.directive, '\n');
}

}  // namespace depot::command
