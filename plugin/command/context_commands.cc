#include "plugin/command/context_commands.h"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <sys/stat.h>
#include <unistd.h>

#include "driver/base/json.h"
#include "driver/base/shown.h"
#include "driver/base/tab_columns.h"
#include "driver/base/text.h"
#include "plugin/command/command_line.h"
#include "plugin/command/figures_text.h"
#include "plugin/plan/git_url.h"
#include "plugin/plan/ignore_file.h"
#include "plugin/plan/source_files.h"

namespace depot::command {
namespace {

namespace fs = std::filesystem;

constexpr TabColumns kSizeColumns{1, 2, false};

/// What all three commands are asked.
struct ContextQuestion {
  std::string directory = ".";
  std::string dockerfile;
  bool json = false;
  std::vector<std::string> arguments;
};

Result<bool> ReadQuestion(std::string_view words,
                          std::string_view description,
                          std::string_view argument,
                          ContextQuestion& question,
                          const Call& call) {
  constexpr flags::FlagKind kText = flags::FlagKind::kText;
  return ReadCommandLine(
      {.words = words,
       .description = description,
       .flags = {{"context", 0, kText, "directory", "The build context (default \".\")",
                  flags::Into(question.directory)},
                 {"file", 'f', kText, "file", "The Dockerfile, which may have an ignore file",
                  flags::Into(question.dockerfile)},
                 {"json", 0, flags::FlagKind::kSwitch, "", "One JSON object on each line",
                  flags::Into(question.json)}},
       .argument = argument,
       .targets = &question.arguments},
      call);
}

Error TooMany(std::string_view words, const Call& call) {
  return Error(ErrorCode::kUsage, Cat("'", call.program, ' ', words, "' has too many arguments"))
      .WithHint(Cat("see '", call.program, ' ', words, " --help'"));
}

/// A context on this machine, opened.
struct LocalContext {
  std::map<std::string, std::unique_ptr<files::FileTree>> trees;
  std::string root;  ///< absolute
  plan::IgnoreFile ignore;

  const files::FileTree& tree() const { return *trees.at("context"); }
};

Result<LocalContext> OpenContext(const ContextQuestion& question, const Cancel& cancel) {
  options::BuildOptions options;
  options.context = question.directory;
  options.file = question.dockerfile;
  if (options.context == "-" || plan::IsRemoteContext(options.context)) {
    return Fail(ErrorCode::kUsage, "--context: only a folder of this machine can be looked at");
  }
  if (options.file == "-" || plan::IsRemoteContext(options.file)) {
    return Fail(ErrorCode::kUsage, "--file: only a file of this machine can be looked at");
  }
  TRY_ASSIGN(plan::SourceFacts facts, plan::InspectSource(options, STDIN_FILENO, cancel));
  // What would be sent does not depend on it, and it may not be written yet.
  if (options.file.empty()) facts.dockerfile = plan::PathKind::kFile;
  TRY_ASSIGN(const plan::Source source, plan::DecideSource(options, facts));
  LocalContext context;
  TRY_ASSIGN(context.trees, plan::OpenTrees(source));
  context.root = source.trees.at("context").directory;
  context.ignore = plan::IgnoreFileInForce(source, context.trees);
  return context;
}

struct Sum {
  std::uint64_t files = 0;
  std::int64_t bytes = 0;
};

std::int64_t BytesOf(const files::FileEntry& entry) {
  return HasContent(entry) ? entry.size : 0;
}

/// `see` gets every entry that is sent but folders, in the order in which they are.
Result<Sum> EachFile(const LocalContext& context,
                     const std::function<void(const files::FileEntry&)>& see,
                     const Cancel& cancel) {
  Sum sum;
  const files::TreeFilter filter{.include = {}, .exclude = context.ignore.patterns(), .follow = {}};
  TRY(context.tree().Walk(
      filter,
      [&](const files::FileEntry& entry) -> Result<> {
        if (S_ISDIR(entry.mode)) return {};
        ++sum.files;
        sum.bytes += BytesOf(entry);
        see(entry);
        return {};
      },
      cancel));
  return sum;
}

std::string_view KindOf(const files::FileEntry& entry) {
  if (S_ISLNK(entry.mode)) return "symlink";
  if (!S_ISREG(entry.mode)) return "special";
  return entry.linkname.empty() ? "file" : "hardlink";
}

std::string JsonLine(const files::FileEntry& entry) {
  Json json = Json::Object();
  json.Set("path", Json::String(entry.path));
  json.Set("type", Json::String(KindOf(entry)));
  json.Set("size", Json::Number(BytesOf(entry)));
  return json.Dump() + '\n';
}

std::string CountOf(std::uint64_t files) {
  return Cat(files, files == 1 ? " file" : " files");
}

/// How much it is, and what kept the rest out.
std::string SumText(const Sum& sum, const LocalContext& context) {
  std::string text =
      Cat(DecimalSize(sum.bytes), " in ", CountOf(sum.files), " of ", Printable(context.root));
  return context.ignore.name.empty()
             ? Cat(text, "; there is no .dockerignore")
             : Cat(text, ", without what ", Printable(context.ignore.name), " keeps out");
}

/// The rows, and for people the sum below them.
Result<> Show(
    std::string rows, const Sum& sum, const LocalContext& context, bool json, const Call& call) {
  if (!json) rows = Cat(AlignTabs(rows, kSizeColumns), SumText(sum, context), '\n');
  return call.terminal.WriteResult(rows, call.cancel);
}

}  // namespace

Result<> RunContextLs(const Call& call) {
  ContextQuestion question;
  TRY_ASSIGN(bool runs, ReadQuestion("context ls", "List what of a build context is sent", "",
                                     question, call));
  if (!runs) return {};
  if (!question.arguments.empty()) return Fail(TooMany("context ls", call));
  TRY_ASSIGN(const LocalContext context, OpenContext(question, call.cancel));
  std::string text;
  const auto add = [&](const files::FileEntry& entry) {
    text += question.json ? JsonLine(entry)
                          : Cat(DecimalSize(BytesOf(entry)), '\t', Printable(entry.path), '\n');
  };
  TRY_ASSIGN(const Sum sum, EachFile(context, add, call.cancel));
  return Show(std::move(text), sum, context, question.json, call);
}

namespace {

/// What is to be said of one path.
struct Verdict {
  std::string path;  ///< from the root of the context
  bool exists = false;
  const plan::IgnoreRule* rule = nullptr;

  bool sent() const { return exists && (rule == nullptr || rule->pattern.starts_with('!')); }
};

/// `path` as typed: from the working directory when that leads into the context, else from the
/// context's own root.
Result<Verdict> Judge(const std::string& path, const LocalContext& context) {
  std::error_code error;
  const fs::path typed = fs::absolute(path, error).lexically_normal();
  fs::path below = typed.lexically_relative(context.root);
  if (below.empty() || *below.begin() == "..") below = fs::path(path).lexically_normal();
  if (!below.empty() && *below.begin() == "..") {
    return Fail(ErrorCode::kUsage, Cat(Printable(path), " is outside of the context"));
  }
  Verdict verdict;
  verdict.path = CleanPath(Cat('/', below.string())).substr(1);
  if (verdict.path.empty()) {
    return Fail(ErrorCode::kUsage, Cat(Printable(path), " is the context itself"));
  }
  const fs::path whole = fs::path(context.root) / verdict.path;
  verdict.exists = fs::symlink_status(whole, error).type() != fs::file_type::not_found;
  verdict.rule = plan::DecidingRule(context.ignore, verdict.path);
  return verdict;
}

std::string Sentence(const Verdict& verdict, const std::string& ignore) {
  std::string text = Cat(Printable(verdict.path), ": ");
  if (verdict.rule != nullptr) {
    text += Cat(verdict.sent() ? "sent" : "not sent", ", by line ", verdict.rule->line, " of ",
                Printable(ignore), ": ", Printable(verdict.rule->pattern));
    return verdict.exists ? text : Cat(text, "; and it does not exist");
  }
  if (!verdict.exists) return text + "there is no such file in the context";
  return ignore.empty() ? text + "sent: there is no .dockerignore"
                        : Cat(text, "sent: no line of ", Printable(ignore), " fits");
}

std::string JsonLine(const Verdict& verdict, const std::string& ignore) {
  Json json = Json::Object();
  json.Set("path", Json::String(verdict.path));
  json.Set("exists", Json::Bool(verdict.exists));
  json.Set("sent", Json::Bool(verdict.sent()));
  if (verdict.rule != nullptr) {
    json.Set("ignoreFile", Json::String(ignore));
    json.Set("line", Json::Number(static_cast<std::int64_t>(verdict.rule->line)));
    json.Set("pattern", Json::String(verdict.rule->pattern));
  }
  return json.Dump() + '\n';
}

}  // namespace

Result<> RunContextWhy(const Call& call) {
  ContextQuestion question;
  TRY_ASSIGN(bool runs, ReadQuestion("context why", "Say why files are sent, or are not", "PATH...",
                                     question, call));
  if (!runs) return {};
  if (question.arguments.empty()) {
    return Fail(Error(ErrorCode::kUsage, "'context why' needs a path")
                    .WithHint(Cat("see '", call.program, " context why --help'")));
  }
  TRY_ASSIGN(const LocalContext context, OpenContext(question, call.cancel));
  std::string text;
  std::string missing;
  for (const std::string& path : question.arguments) {
    TRY_ASSIGN(const Verdict verdict, Judge(path, context));
    const std::string& ignore = context.ignore.name;
    text += question.json ? JsonLine(verdict, ignore) : Sentence(verdict, ignore) + '\n';
    if (!verdict.exists && missing.empty()) missing = verdict.path;
  }
  TRY(call.terminal.WriteResult(text, call.cancel));
  if (missing.empty()) return {};
  return Fail(ErrorCode::kNotFound,
              Cat("there is no ", Printable(missing), " in ", Printable(context.root)));
}

namespace {

constexpr std::uint64_t kMostShown = 10;

/// A file, or a folder with all that is sent of it.
struct Weight {
  std::string path;  ///< a folder's ends in '/'
  std::int64_t bytes = 0;
  std::int64_t files = 0;
  std::int64_t heaviest = 0;  ///< of what is right in it
};

class Scales {
 public:
  void Put(const files::FileEntry& entry) {
    const std::int64_t bytes = BytesOf(entry);
    weights_[entry.path] = {entry.path, bytes, 1, 0};
    std::string_view path = entry.path;
    for (std::size_t slash = path.rfind('/'); slash != std::string_view::npos;
         slash = path.substr(0, slash).rfind('/')) {
      const std::string folder(path.substr(0, slash + 1));
      Weight& weight = weights_[folder];
      weight.path = folder;
      weight.bytes += bytes;
      ++weight.files;
    }
  }

  /// The `most` largest, largest first.
  std::vector<Weight> Top(std::size_t most) {
    for (const auto& [path, weight] : weights_) {
      const std::string_view bare =
          std::string_view(path).substr(0, path.find_last_not_of('/') + 1);
      const std::size_t slash = bare.rfind('/');
      if (slash == std::string_view::npos) continue;
      Weight& folder = weights_[std::string(bare.substr(0, slash + 1))];
      folder.heaviest = std::max(folder.heaviest, weight.bytes);
    }
    std::vector<Weight> top;
    for (const auto& [path, weight] : weights_) {
      const bool says_less = path.ends_with('/') && weight.heaviest > weight.bytes / 10 * 9;
      if (!says_less) top.push_back(weight);
    }
    std::stable_sort(top.begin(), top.end(),
                     [](const Weight& a, const Weight& b) { return a.bytes > b.bytes; });
    if (top.size() > most) top.resize(most);
    return top;
  }

 private:
  std::map<std::string, Weight> weights_;
};

std::string JsonLine(const Weight& weight) {
  Json json = Json::Object();
  json.Set("path", Json::String(weight.path));
  json.Set("size", Json::Number(weight.bytes));
  json.Set("files", Json::Number(weight.files));
  return json.Dump() + '\n';
}

}  // namespace

Result<> RunContextTop(const Call& call) {
  ContextQuestion question;
  TRY_ASSIGN(bool runs, ReadQuestion("context top", "Show what is large in a build context", "[N]",
                                     question, call));
  if (!runs) return {};
  if (question.arguments.size() > 1) return Fail(TooMany("context top", call));
  std::uint64_t most = kMostShown;
  if (!question.arguments.empty()) {
    const auto number = ParseDecimal(question.arguments.front());
    if (!number || *number == 0) {
      return Fail(ErrorCode::kUsage,
                  Cat("'", Printable(question.arguments.front()), "' is no number of lines"));
    }
    most = *number;
  }
  TRY_ASSIGN(const LocalContext context, OpenContext(question, call.cancel));
  Scales scales;
  const auto put = [&](const files::FileEntry& entry) { scales.Put(entry); };
  TRY_ASSIGN(const Sum sum, EachFile(context, put, call.cancel));
  std::string text;
  for (const Weight& weight : scales.Top(most)) {
    text += question.json
                ? JsonLine(weight)
                : Cat(DecimalSize(weight.bytes), '\t',
                      weight.path.ends_with('/') ? CountOf(static_cast<std::uint64_t>(weight.files))
                                                 : "",
                      '\t', Printable(weight.path), '\n');
  }
  return Show(std::move(text), sum, context, question.json, call);
}

}  // namespace depot::command
