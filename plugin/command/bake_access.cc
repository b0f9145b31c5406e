#include "plugin/command/bake_access.h"

#include <algorithm>
#include <filesystem>
#include <optional>

#include <poll.h>
#include <unistd.h>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/git/checkout.h"
#include "plugin/plan/git_url.h"
#include "plugin/plan/named_contexts.h"

namespace depot::command {
namespace {

namespace fs = std::filesystem;

/// Absolute, with the symlinks of what exists followed.
fs::path RealPath(const std::string& path) {
  std::error_code error;
  fs::path absolute = fs::absolute(path, error);
  fs::path real = fs::weakly_canonical(absolute, error);
  return error ? absolute.lexically_normal() : real;
}

bool IsBelow(const fs::path& path, const fs::path& folder) {
  const auto [end, rest] = std::mismatch(folder.begin(), folder.end(), path.begin(), path.end());
  return end == folder.end() || (end->empty() && std::next(end) == folder.end());
}

/// What --allow gives.
struct Allowed {
  std::vector<std::string> words;
  std::vector<fs::path> read;
  std::vector<fs::path> write;

  explicit Allowed(const std::vector<std::string>& allow) {
    read.push_back(RealPath("."));
    write.push_back(read.front());
    for (const std::string& word : allow) {
      const std::size_t sign = word.find('=');
      const std::string kind = word.substr(0, sign);
      const std::string path = sign == std::string::npos ? "" : word.substr(sign + 1);
      const fs::path real = path == "*" ? fs::path("/") : RealPath(path);
      if (kind == "fs" || kind == "fs.read") read.push_back(real);
      if (kind == "fs" || kind == "fs.write") write.push_back(real);
      words.push_back(word);
    }
  }

  bool Has(std::string_view word) const {
    const bool device = word.starts_with("device");
    return std::any_of(words.begin(), words.end(), [&](const std::string& one) {
      return one == word || (device && one == "device");
    });
  }
};

class Access {
 public:
  Access(const bake::Overrides& overrides, const Allowed& allowed)
      : overrides_(overrides), allowed_(allowed) {}

  void Look(const BakeTarget& target, const bake::Fields& fields) {
    target_ = target.name;
    if (!IsSet("entitlements")) {
      for (const std::string& word : fields.entitlements)
        if (!allowed_.Has(word)) Add(word, false);
    }
    LookAtSources(target.options);
    if (!IsSet("secrets")) {
      for (const bake::Entry& secret : fields.secret)
        if (auto file = secret.find("src"); file != secret.end()) Read(file->second);
    }
    if (!IsSet("ssh")) LookAtSsh(fields);
    if (!IsSet("cache-from")) {
      for (const bake::Entry& cache : fields.cache_from)
        LookAtCache(cache);
    }
    if (!IsSet("cache-to")) {
      for (const bake::Entry& cache : fields.cache_to.value_or(bake::Entries()))
        LookAtPlace(cache);
    }
    if (!IsSet("output")) {
      for (const bake::Entry& output : fields.output.value_or(bake::Entries())) {
        LookAtPlace(output);
        const auto devices = output.find("devices");
        const bool wants = devices != output.end() && ParseBool(devices->second).value_or(false);
        if (wants && !allowed_.Has(kLocalDevices)) Add(std::string(kLocalDevices), false);
      }
    }
  }

  std::vector<Need> Take() { return std::move(needs_); }

 private:
  bool IsSet(std::string_view key) const {
    auto said = overrides_.find(target_);
    return said != overrides_.end() &&
           std::any_of(said->second.begin(), said->second.end(),
                       [&](const bake::Override& one) { return one.key == key; });
  }

  void Add(std::string flag, bool is_file) {
    const bool known = std::any_of(needs_.begin(), needs_.end(),
                                   [&](const Need& need) { return need.flag == flag; });
    if (!known) needs_.push_back({std::move(flag), target_, is_file});
  }

  /// By a link that is in the way a path can lead elsewhere than its text says, and the build goes
  /// by the one for some things and by the other for the rest: both have to be given.
  void Want(const std::string& path, const std::vector<fs::path>& given, std::string_view kind) {
    std::error_code error;
    const fs::path text = fs::absolute(path, error).lexically_normal();
    for (const fs::path& real : {RealPath(path), RealPath(text.string())}) {
      const bool may = std::any_of(given.begin(), given.end(),
                                   [&](const fs::path& folder) { return IsBelow(real, folder); });
      if (!may) Add(Cat(kind, '=', real.string()), true);
    }
  }

  void Read(const std::string& path) { Want(path, allowed_.read, "fs.read"); }
  void Write(const std::string& path) { Want(path, allowed_.write, "fs.write"); }

  /// What the build takes for a URL, it takes for one only if there is no such directory here.
  void LookAtSources(const options::BuildOptions& options) {
    std::error_code error;
    const bool local = fs::is_directory(options.context, error) ||
                       fs::is_directory(fs::path(options.context).lexically_normal(), error);
    if (local || !plan::IsRemoteContext(options.context)) Read(options.context);
    const bool text = options.dockerfile_inline || plan::IsHttpUrl(options.file);
    if (!text && (local || fs::path(options.file).is_absolute())) {
      Read(options.file.empty() ? Cat(options.context, "/Dockerfile") : options.file);
    }
    for (const options::NamedContext& context : options.sources.contexts) {
      const std::optional<std::string> path = plan::LocalPathOf(context);
      if (path) Read(*path);
    }
  }

  void LookAtSsh(const bake::Fields& fields) {
    for (const bake::SshEntry& entry : fields.ssh) {
      if (entry.paths.empty() && !allowed_.Has("ssh")) Add("ssh", true);
      for (const std::string& path : entry.paths)
        if (!path.starts_with("env=")) Read(path);
    }
  }

  /// Where a cache is read from.
  void LookAtCache(const bake::Entry& entry) {
    const auto type = entry.find("type");
    if (type == entry.end() || type->second != "local") return;
    if (const std::string* path = PathIn(entry, "src")) Read(*path);
  }

  /// Where a cache or a result is written to.
  void LookAtPlace(const bake::Entry& entry) {
    if (const std::string* path = PathIn(entry, "dest")) Write(*path);
  }

  /// null: no path is said there.
  static const std::string* PathIn(const bake::Entry& entry, const std::string& key) {
    const auto path = entry.find(key);
    const bool none = path == entry.end() || path->second.empty() || path->second == "-";
    return none ? nullptr : &path->second;
  }

  const bake::Overrides& overrides_;
  const Allowed& allowed_;
  std::string target_;
  std::vector<Need> needs_;
};

/// Whether the user types a yes.
Result<bool> AskUser(const Call& call) {
  call.terminal.WriteError("Do you want to grant requested privileges and continue? [y/N] ",
                           call.cancel);
  std::string answer;
  while (answer.find('\n') == std::string::npos) {
    TRY(WaitForFd(STDIN_FILENO, POLLIN, call.cancel));
    char buffer[256];
    const ssize_t length = ::read(STDIN_FILENO, buffer, sizeof buffer);
    if (length <= 0 || answer.size() > sizeof buffer) break;
    answer.append(buffer, static_cast<std::size_t>(length));
  }
  const std::string word = LowerAscii(Trim(answer));
  return word == "y" || word == "yes";
}

}  // namespace

std::vector<std::string> ReadablePaths(const std::vector<std::string>& allow,
                                       const Environment& environment) {
  std::vector<std::string> paths;
  for (const fs::path& path : Allowed(allow).read)
    paths.push_back(path.string());
  const std::string files = Variable(environment, "BUILDX_BAKE_ENTITLEMENTS_FS");
  if (!ParseBool(files).value_or(true)) paths.emplace_back("/");
  // `extends: ../common.yaml` stays in the sources. A .git that cannot be read opens nothing.
  const auto checkout = git::ReadCheckout(".");
  if (checkout && *checkout) paths.push_back((*checkout)->root);
  return paths;
}

std::vector<Need> MissingAccess(const std::vector<BakeTarget>& targets,
                                const bake::Resolution& resolution,
                                const bake::Overrides& overrides,
                                const std::vector<std::string>& allow) {
  const Allowed allowed(allow);
  Access access(overrides, allowed);
  for (const BakeTarget& target : targets)
    access.Look(target, resolution.targets.at(target.name));
  return access.Take();
}

Result<> AskForAccess(const std::vector<Need>& needs,
                      bool may_ask,
                      bool is_remote,
                      const Call& call) {
  if (needs.empty()) return {};
  const std::string files = Variable(call.environment, "BUILDX_BAKE_ENTITLEMENTS_FS");
  const std::string remote = Variable(call.environment, "BAKE_ALLOW_REMOTE_FS_ACCESS");
  const bool files_matter =
      ParseBool(files).value_or(true) && !(is_remote && ParseBool(remote).value_or(false));
  std::string text = "Your build is requesting privileges for the following:\n";
  std::string flags;
  bool stops = false;
  for (const Need& need : needs) {
    text += Cat(" - ", Printable(need.flag), " (target ", need.target, ")\n");
    flags += Cat(" --allow ", Printable(need.flag));
    stops |= files_matter || !need.is_file;
  }
  call.terminal.WriteError(text, call.cancel);
  if (!stops) return {};
  const bool asks = may_ask && ::isatty(STDIN_FILENO) == 1 && call.terminal.error_is_terminal();
  if (asks) {
    TRY_ASSIGN(const bool yes, AskUser(call));
    if (yes) return {};
  }
  return Fail(
      Error(ErrorCode::kDenied, "additional privileges requested")
          .WithHint(Cat("if the definition may do that, give the line these flags:", flags)));
}

}  // namespace depot::command
