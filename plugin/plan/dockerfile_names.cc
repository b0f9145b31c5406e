#include "plugin/plan/dockerfile_names.h"

#include <algorithm>
#include <initializer_list>
#include <utility>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/disk/read_file.h"

namespace depot::plan {
namespace {

constexpr std::size_t kMaxScanned = 1 << 20;

/// The words of an instruction, quotes taken off.
std::vector<std::string> Words(std::string_view line) {
  std::vector<std::string> words;
  std::string word;
  bool any = false;
  char quote = 0;
  for (const char c : line) {
    if (quote != 0 ? c == quote : c == '"' || c == '\'') {
      quote = quote != 0 ? '\0' : c;
      any = true;
    } else if (quote == 0 && (c == ' ' || c == '\t')) {
      if (any) words.push_back(std::exchange(word, {}));
      any = false;
    } else {
      word += c;
      any = true;
    }
  }
  if (any) words.push_back(std::move(word));
  return words;
}

/// The end marks of the heredocs that an instruction begins: <<EOF, <<-EOF, 3<<"EOF".
std::vector<std::string> EndMarks(const std::vector<std::string>& words) {
  std::vector<std::string> marks;
  for (const std::string& word : words) {
    const std::size_t at = word.find("<<");
    if (at == std::string::npos || word.find_first_not_of("0123456789") < at) continue;
    std::string mark = word.substr(at + 2);
    if (mark.starts_with('-')) mark.erase(0, 1);
    if (!mark.empty() && mark.find('<') == std::string::npos) marks.push_back(std::move(mark));
  }
  return marks;
}

/// Goes through the lines of a Dockerfile.
class Reader {
 public:
  explicit Reader(std::string_view text) : lines_(Split(text, '\n')) {}

  std::optional<DockerfileNames> Run() {
    if (!ReadDirectives()) return std::nullopt;
    while (next_ < lines_.size())
      ReadInstruction();
    return std::move(names_);
  }

 private:
  /// `# key=value` lines at the top. False for a frontend that is not Docker's.
  bool ReadDirectives() {
    for (; next_ < lines_.size(); ++next_) {
      const std::string_view line = Trim(lines_[next_]);
      const std::size_t sign = line.find('=');
      if (!line.starts_with('#') || sign == std::string_view::npos) return true;
      const std::string key = LowerAscii(Trim(line.substr(1, sign - 1)));
      const std::string_view value = Trim(line.substr(sign + 1));
      if (key == "syntax") {
        const bool docker = value.find("docker/dockerfile") != std::string_view::npos;
        if (!docker) return false;
      } else if (key == "escape" && !value.empty()) {
        escape_ = value.front();
      } else if (key != "check") {
        return true;
      }
    }
    return true;
  }

  /// One with its continuation lines, and its heredocs.
  void ReadInstruction() {
    std::string joined;
    bool more = true;
    while (more && next_ < lines_.size()) {
      std::string_view line = Trim(lines_[next_++]);
      if (line.starts_with('#')) continue;
      more = line.ends_with(escape_) || (line.empty() && !joined.empty());
      if (line.ends_with(escape_)) line.remove_suffix(1);
      joined += Cat(line, ' ');
      if (joined == " ") return;
    }
    const std::vector<std::string> words = Words(joined);
    Take(words);
    for (const std::string& mark : EndMarks(words))
      SkipTo(mark);
  }

  /// A heredoc without an end was none.
  void SkipTo(const std::string& mark) {
    for (std::size_t i = next_; i < lines_.size(); ++i) {
      if (Trim(lines_[i]) != mark) continue;
      next_ = i + 1;
      return;
    }
  }

  /// The flags of one instruction, which come before all else.
  void TakeFroms(const std::vector<std::string>& words, std::size_t at) {
    constexpr std::string_view kFrom = "from=";
    for (; at < words.size() && words[at].starts_with("--"); ++at) {
      const std::string flag = words[at].substr(2);
      const std::string mount = flag.starts_with("mount=") ? flag.substr(6) : "";
      if (flag.starts_with(kFrom)) names_.froms.push_back(flag.substr(kFrom.size()));
      for (std::string_view field : Split(mount, ','))
        if (field.starts_with(kFrom)) names_.froms.emplace_back(field.substr(kFrom.size()));
    }
  }

  void Take(const std::vector<std::string>& words) {
    std::size_t first = 0;
    if (!words.empty() && LowerAscii(words.front()) == "onbuild") first = 1;
    if (first >= words.size()) return;
    TakeFroms(words, first + 1);
    const std::string name = LowerAscii(words[first]);
    if (name == "arg") {
      for (std::size_t i = first + 1; i < words.size(); ++i)
        names_.args.push_back(words[i].substr(0, words[i].find('=')));
    } else if (name == "from" && words.size() > first + 3 &&
               LowerAscii(words[words.size() - 2]) == "as") {
      names_.stages.push_back(LowerAscii(words.back()));
    }
  }

  const std::vector<std::string_view> lines_;
  std::size_t next_ = 0;
  char escape_ = '\\';
  DockerfileNames names_;
};

/// What is there without an ARG, or is for the frontend itself.
bool IsPredefined(std::string_view arg) {
  static const std::vector<std::string_view> known = {
      "HTTP_PROXY",  "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY",  "ALL_PROXY",        "http_proxy",
      "https_proxy", "ftp_proxy",   "no_proxy",  "all_proxy", "SOURCE_DATE_EPOCH"};
  return arg.starts_with("BUILDKIT_") || std::find(known.begin(), known.end(), arg) != known.end();
}

bool Has(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::string DidYouMean(std::string_view name, const std::vector<std::string>& names) {
  const std::vector<std::string_view> known(names.begin(), names.end());
  const std::string_view near = Nearest(name, known);
  return near.empty() ? "" : Cat("; did you mean ", Printable(near), "?");
}

Result<std::string> ReadText(const files::FileTree& tree, const std::string& filename) {
  TRY_ASSIGN(const Fd file, tree.Open(filename));
  return disk::ReadOpenFile(file.get(), filename, kMaxScanned, Cancel::Never());
}

}  // namespace

std::optional<DockerfileNames> NamesIn(std::string_view text) {
  return Reader(text).Run();
}

std::optional<DockerfileNames> NamesOfFile(const files::FileTree& tree,
                                           const std::string& filename) {
  const auto text = ReadText(tree, filename);
  return text ? NamesIn(*text) : std::nullopt;
}

std::vector<std::string> DockerfileWarnings(const options::BuildOptions& options,
                                            const files::FileTree& tree,
                                            const std::string& filename) {
  std::vector<std::string> lines;
  const auto text = ReadText(tree, filename);
  if (!text) return lines;
  if (text->starts_with("\xff\xfe") || text->starts_with("\xfe\xff")) {
    return {Cat("WARNING: ", Printable(filename),
                " is UTF-16, which builders do not read: save it as UTF-8 (PowerShell: Out-File "
                "-Encoding utf8)")};
  }
  const std::optional<DockerfileNames> names = NamesIn(*text);
  if (!names) return lines;
  for (const auto& [arg, value] : options.build_args) {
    // The user chose a frontend, which may mean anything by it.
    if (arg == "BUILDKIT_SYNTAX") return {};
    if (IsPredefined(arg) || Has(names->args, arg)) continue;
    lines.push_back(Cat("WARNING: --build-arg ", Printable(arg),
                        " is not used: no ARG of the Dockerfile has this name",
                        DidYouMean(arg, names->args)));
  }
  for (const std::string& stages : options.no_cache_filter) {
    // docker buildx joins them with commas, as we do: each may be several.
    for (std::string_view stage : Split(stages, ',')) {
      const std::string lower = LowerAscii(stage);
      if (Has(names->stages, lower) || ParseDecimal(stage)) continue;
      lines.push_back(Cat("WARNING: --no-cache-filter ", Printable(stage),
                          " has no effect: no stage of the Dockerfile has this name",
                          DidYouMean(lower, names->stages)));
    }
  }
  return lines;
}

}  // namespace depot::plan
