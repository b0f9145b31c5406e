#include "plugin/plan/context_times.h"

#include <filesystem>
#include <optional>

#include <time.h>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/git/index.h"

namespace depot::plan {
namespace {

namespace fs = std::filesystem;

/// Below it, asking the frontend first and copying on the builder takes longer than sending. Walls
/// of an unchanged fresh clone, content against file, on two cores: 256 KiB 0.54 and 0.50 s on a
/// fast link, 0.74 and 0.80 s over 40 ms and 50 Mbit/s; 1 MiB 0.46 and 0.72 s, 0.73 and 0.99 s; 4
/// MiB 0.48 and 0.99 s, 0.78 and 1.42 s.
constexpr std::uint64_t kWorthwhile = 1 << 20;

/// A file's content is named as git names it, so that it has one name whether git knows the file or
/// it was read.
class GitNames final : public files::ContentNames {
 public:
  GitNames(git::IndexedCheckout checkout, std::string prefix)
      : checkout_(std::move(checkout)), prefix_(std::move(prefix)) {}

  std::string_view Known(const files::FileEntry& entry) const override {
    if (!checkout_.index) return {};
    const git::IndexedState state{
        entry.mode,           entry.state.inode, entry.state.size, entry.state.mtime_ns,
        entry.state.ctime_ns, entry.uid,         entry.gid};
    if (prefix_.empty()) return checkout_.index->Find(entry.path, state);
    return checkout_.index->Find(Cat(prefix_, '/', entry.path), state);
  }

  Result<std::string> Read(int file, std::int64_t size, const Cancel& cancel) const override {
    return git::BlobNameOfFile(checkout_.format, file, size, cancel);
  }

  std::string Of(std::string_view text) const override {
    return git::BlobName(checkout_.format, text);
  }

 private:
  const git::IndexedCheckout checkout_;
  const std::string prefix_;
};

/// Where `directory` is in the checkout; nullopt when it is outside of it.
std::optional<std::string> PrefixIn(const std::string& root, const std::string& directory) {
  std::error_code error;
  const std::string real = fs::canonical(directory, error).string();
  if (error) return std::nullopt;
  if (real == root) return "";
  const std::string below = root == "/" ? root : root + '/';
  if (!real.starts_with(below)) return std::nullopt;
  return real.substr(below.size());
}

bool InContinuousIntegration(const Environment& environment) {
  const std::string value = TrimmedVariable(environment, "CI");
  return !value.empty() && ParseBool(value).value_or(true);
}

/// What belongs to protected branches is not shared with what anybody may push: whoever builds can
/// make the builder keep a file under another's time.
std::string KeyOf(const Environment& environment) {
  const bool is_protected = TrimmedVariable(environment, "CI_COMMIT_REF_PROTECTED") == "true";
  return is_protected ? "content-protected" : "content";
}

/// When it was first asked for: targets of one run share the builder's copy of a context.
std::int64_t TimeOfCopies() {
  static const std::int64_t time = [] {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    return files::Nanoseconds(now);
  }();
  return time;
}

/// Whether to, when nobody has said so.
Result<bool> Pays(const LocalContext& context,
                  const git::IndexedCheckout& checkout,
                  const std::string& prefix,
                  std::vector<std::string>& reasons) {
  const std::string shown = Cat("the ", context.local == "context" ? "context" : context.local,
                                " is sent with the times of files: ");
  if (checkout.root.empty()) {
    reasons.push_back(Cat(shown, "it is not in a git checkout"));
    return false;
  }
  if (!checkout.index) return true;
  const git::Index::Extent extent = checkout.index->ExtentOf(prefix);
  if (extent.bytes >= kWorthwhile) return true;
  reasons.push_back(Cat(shown, "git knows ", extent.bytes, " bytes in it, and less than ",
                        kWorthwhile, " is sent faster than it is asked for"));
  return false;
}

/// Nullopt: its files are sent as they are.
Result<std::optional<git::IndexedCheckout>> Decide(const LocalContext& context,
                                                   bool wanted,
                                                   std::string& prefix,
                                                   std::vector<std::string>& reasons) {
  Result<git::IndexedCheckout> read = git::ReadIndexOf(context.directory);
  if (!read) {
    reasons.push_back(
        Cat("git is not asked about ", Printable(context.directory), ": ", read.error().message()));
    if (!wanted) return std::nullopt;
    return git::IndexedCheckout();
  }
  if (!read->root.empty()) {
    const auto found = PrefixIn(read->root, context.directory);
    if (!found) read->index.reset();
    prefix = found.value_or("");
  }
  if (!wanted) {
    TRY_ASSIGN(const bool pays, Pays(context, *read, prefix, reasons));
    if (!pays) return std::nullopt;
  }
  if (!read->reason.empty()) {
    reasons.push_back(
        Cat("git's index is not used for ", Printable(context.directory), ": ", read->reason));
  }
  return *std::move(read);
}

/// Why an unchanged context may be sent whole all the same.
std::string WhatTheCopyGoesBy(const LocalContext& context) {
  const fs::path path = fs::path(context.directory).lexically_normal();
  const fs::path folder = path.has_filename() ? path : path.parent_path();
  return Cat("the builder's copy of ", Printable(context.local), " goes by the folder's name, \"",
             Printable(folder.filename().string()),
             "\", and by the project's key (a client certificate or a token): where either is "
             "another one, all of it is sent");
}

}  // namespace

Result<ContextPlan> PlanContextTimes(const options::BuildOptions& options,
                                     const Environment& environment,
                                     const Source& source,
                                     Trees& trees) {
  TRY_ASSIGN(const auto said, options::WantedContextTimes(options.contexts, environment));
  ContextPlan plan;
  const bool asked = !options.call.method.empty();
  if (asked || said == options::ContextTimes::kFile) return plan;
  const bool wanted = said == options::ContextTimes::kContent;
  if (!wanted && !InContinuousIntegration(environment)) return plan;
  plan.tally = std::make_shared<files::ContentTally>();
  for (const LocalContext& context : LocalContexts(source)) {
    std::string prefix;
    TRY_ASSIGN(auto checkout, Decide(context, wanted, prefix, plan.reasons));
    auto tree = trees.find(context.local);
    if (!checkout || tree == trees.end()) continue;
    auto names = std::make_shared<GitNames>(*std::move(checkout), std::move(prefix));
    tree->second = files::MakeContentTimesTree(std::move(tree->second), names, plan.tally);
    plan.dated.push_back({context.local, context.local, context.attribute, TimeOfCopies(),
                          std::string(files::kContentTimesMark), KeyOf(environment)});
    plan.reasons.push_back(WhatTheCopyGoesBy(context));
  }
  return plan;
}

}  // namespace depot::plan
