#include "plugin/plan/vcs.h"

#include <filesystem>
#include <optional>

#include "driver/base/shown.h"
#include "driver/base/subprocess.h"
#include "driver/base/text.h"
#include "driver/git/checkout.h"
#include "plugin/plan/git_url.h"

namespace depot::plan {
namespace {

namespace fs = std::filesystem;

/// Git reads every file that its index does not vouch for; nobody waits longer for one word.
constexpr std::chrono::seconds kPatienceWithGit(60);

/// What the environment wants to be told.
struct Wishes {
  bool info = true;
  bool labels = false;
};

Wishes WishesOf(const Environment& environment, std::vector<std::string>& notices) {
  Wishes wishes;
  const std::string info = Variable(environment, "BUILDX_GIT_INFO");
  const std::string labels = Variable(environment, "BUILDX_GIT_LABELS");
  wishes.info = ParseBool(info).value_or(true);
  wishes.labels = labels == "full" || ParseBool(labels).value_or(false);
  if (!info.empty() && !ParseBool(info)) {
    notices.emplace_back("BUILDX_GIT_INFO is neither true nor false, and taken for true");
  }
  if (!labels.empty() && labels != "full" && !ParseBool(labels)) {
    notices.emplace_back("BUILDX_GIT_LABELS is neither true, false nor full, and taken for false");
  }
  return wishes;
}

/// "" = outside.
std::string Below(const fs::path& root, const fs::path& path) {
  std::string rest = path.lexically_relative(root).string();
  return rest == ".." || rest.starts_with("../") ? "" : rest;
}

std::string Real(const std::string& path) {
  std::error_code error;
  const fs::path real = fs::canonical(path, error);
  return error ? "" : real.string();
}

/// What GitLab says of the job's checkout (docs.gitlab.com, "Predefined CI/CD variables").
std::optional<git::Checkout> OfGitLabJob(const Environment& environment) {
  if (Variable(environment, "GITLAB_CI").empty()) return std::nullopt;
  const std::string folder = Variable(environment, "CI_PROJECT_DIR");
  git::Checkout job{folder.empty() ? "" : Real(folder), "", ""};
  if (job.root.empty()) return std::nullopt;
  const std::string revision = Variable(environment, "CI_COMMIT_SHA");
  if (git::IsRevision(revision)) job.revision = revision;
  job.remote = git::SourceUrl(Variable(environment, "CI_PROJECT_URL"));
  return job;
}

/// The checkout around `context`; nullopt when there is none.
std::optional<git::Checkout> CheckoutOf(const std::string& context,
                                        const Environment& environment,
                                        std::vector<std::string>& notices) {
  auto read = git::ReadCheckout(context);
  std::optional<git::Checkout> job = OfGitLabJob(environment);
  if (read && *read) {
    git::Checkout& checkout = **read;
    const bool same = job && job->root == checkout.root;
    if (same && checkout.revision.empty()) checkout.revision = job->revision;
    if (same && checkout.remote.empty()) checkout.remote = job->remote;
    return checkout;
  }
  if (job && !Below(job->root, Real(context)).empty()) return job;
  if (!read) {
    notices.push_back(Cat("WARNING: current commit information was not captured by the build: ",
                          read.error().message()));
  }
  return std::nullopt;
}

/// The Dockerfile in the checkout; "" when it is not there, or nowhere.
std::string EntryPoint(const git::Checkout& checkout,
                       const options::BuildOptions& options,
                       const Source& source) {
  if (options.file == "-" || IsRemoteContext(options.file)) return "";
  fs::path path = fs::path(options.context) / source.filename;
  if (!options.file.empty()) path = fs::path(options.file).parent_path() / source.filename;
  const std::string folder = Real(path.has_parent_path() ? path.parent_path().string() : ".");
  return folder.empty() ? "" : Below(checkout.root, fs::path(folder) / path.filename());
}

/// Whether anything in the checkout at `root` is not as committed, by git's own word; ignored files
/// count, as for docker buildx (util/gitutil, IsDirty). Nothing of the checkout is written or run.
Result<bool> IsDirty(const std::string& root, const Cancel& cancel) {
  const Cancel patience = cancel.WithTimeout(kPatienceWithGit, "git status, no answer");
  TRY_ASSIGN(SubprocessOutput output,
             RunSubprocess({"git", "--no-optional-locks", "-c", "core.fsmonitor=false", "-C", root,
                            "status", "--porcelain", "--ignored"},
                           "", patience));
  if (output.exit_code == 0) return !output.standard_output.empty();
  return Fail(ErrorCode::kFailed,
              Cat("git status: ", Printable(std::string(Trim(output.standard_error)))));
}

/// Marks the revision when BUILDX_GIT_CHECK_DIRTY asks for it.
void MarkDirty(git::Checkout& checkout,
               const Environment& environment,
               std::vector<std::string>& notices,
               const Cancel& cancel) {
  if (!ParseBool(Variable(environment, "BUILDX_GIT_CHECK_DIRTY")).value_or(false)) return;
  if (checkout.revision.empty()) return;
  Result<bool> dirty = IsDirty(checkout.root, cancel);
  if (!dirty) {
    notices.push_back(
        Cat("WARNING: BUILDX_GIT_CHECK_DIRTY: whether anything was changed is not known: ",
            dirty.error().message()));
  } else if (*dirty) {
    checkout.revision += "-dirty";
  }
}

}  // namespace

VcsFacts DescribeVcs(const options::BuildOptions& options,
                     const Environment& environment,
                     const Source& source,
                     const Cancel& cancel) {
  VcsFacts facts;
  auto context = source.trees.find("context");
  const bool local = context != source.trees.end() && !context->second.directory.empty();
  const Wishes wishes = WishesOf(environment, facts.notices);
  if (!local || (!wishes.info && !wishes.labels)) return facts;
  auto checkout = CheckoutOf(context->second.directory, environment, facts.notices);
  if (!checkout) return facts;
  MarkDirty(*checkout, environment, facts.notices, cancel);
  auto& attributes = facts.attributes;
  auto add = [&](bool wanted, const std::string& key, const std::string& value) {
    if (wanted && !value.empty()) attributes[key] = value;
  };
  add(wishes.info, "vcs:revision", checkout->revision);
  add(wishes.info, "vcs:source", checkout->remote);
  add(wishes.labels, "label:org.opencontainers.image.revision", checkout->revision);
  add(wishes.labels, "label:org.opencontainers.image.source", checkout->remote);
  add(wishes.labels, "label:com.docker.image.source.entrypoint",
      EntryPoint(*checkout, options, source));
  for (const auto& [name, tree] : source.trees) {
    if (tree.directory.empty()) continue;
    const std::string folder = Real(tree.directory);
    if (folder.empty()) continue;
    add(wishes.info, Cat("vcs:localdir:", name), Below(checkout->root, folder));
  }
  return facts;
}

}  // namespace depot::plan
