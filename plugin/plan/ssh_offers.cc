#include "plugin/plan/ssh_offers.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include <sys/stat.h>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/builder/pem.h"
#include "driver/disk/lookup.h"
#include "driver/disk/read_file.h"
#include "plugin/plan/git_url.h"

namespace depot::plan {
namespace {

/// What docker buildx reads of a key file.
constexpr std::size_t kMaxKeyFile = 100 << 10;
constexpr std::string_view kSocketVariable = "SSH_AUTH_SOCK";

std::string FlagOf(const std::string& id) {
  return Cat("--ssh ", Printable(id));
}

Error NoAgent() {
  return Error(ErrorCode::kInvalid, "SSH_AUTH_SOCK is not set: there is no ssh agent")
      .WithHint(
          "start one (eval $(ssh-agent); ssh-add), or give a key: ID=KEYFILE, or "
          "ID=env=VARIABLE");
}

Result<session::SshIdentity> Identity(std::string text, std::string comment) {
  const Secret secret(std::move(text));
  TRY_ASSIGN(session::SshKey key, session::SshKey::Read(secret));
  return session::SshIdentity{std::move(key), std::move(comment)};
}

Result<session::SshIdentity> KeyInFile(const disk::Found& found,
                                       const std::string& path,
                                       const Cancel& cancel) {
  const mode_t mode = found.status().st_mode;
  if (S_ISDIR(mode)) return Fail(ErrorCode::kInvalid, "is a directory");
  if (!S_ISREG(mode) && !S_ISFIFO(mode)) {
    return Fail(ErrorCode::kInvalid, "is neither a file, nor a pipe, nor a socket");
  }
  TRY_ASSIGN(const Fd file, found.Open());
  TRY_ASSIGN(std::string text, disk::ReadOpenFile(file.get(), "the key", kMaxKeyFile, cancel));
  return Identity(std::move(text), path);
}

Result<> AddFile(const std::string& path,
                 const std::string& context,
                 const Cancel& cancel,
                 session::SshOffer& offer) {
  TRY_ASSIGN(const disk::Found found, disk::LookupTyped(path, context));
  if (S_ISSOCK(found.status().st_mode)) {
    if (!offer.agent_socket.empty()) {
      return Fail(ErrorCode::kUsage, Cat(Printable(path), ": is a second agent for one id"));
    }
    offer.agent_socket = found.path();
    return {};
  }
  auto identity = KeyInFile(found, path, cancel);
  if (!identity) return Fail(std::move(identity).error().While(Printable(path)));
  offer.identities.push_back(*std::move(identity));
  return {};
}

Result<> AddVariable(const std::string& name,
                     const Environment& environment,
                     const Cancel& cancel,
                     session::SshOffer& offer) {
  const std::string value = Variable(environment, name);
  const std::string what = Cat("the variable ", Printable(name));
  if (value.empty()) {
    return Fail(
        Error(ErrorCode::kInvalid, Cat(what, " is not set, or empty"))
            .WithHint("in GitLab a protected variable is there in protected branches only"));
  }
  TRY_ASSIGN(std::string text, builder::LoadPem(value, what, cancel));
  auto identity = Identity(std::move(text), name);
  if (!identity) return Fail(std::move(identity).error().While(what));
  offer.identities.push_back(*std::move(identity));
  return {};
}

Result<session::SshOffer> PlanOne(const options::SshSource& source,
                                  const std::string& context,
                                  const Environment& environment,
                                  const Cancel& cancel) {
  session::SshOffer offer;
  offer.id = source.id;
  std::vector<std::string> files = source.files;
  const bool by_default = files.empty() && source.variables.empty();
  if (by_default) {
    files.push_back(Variable(environment, std::string(kSocketVariable)));
    if (files.front().empty()) return Fail(NoAgent());
  }
  for (const std::string& path : files) {
    Result<> added = AddFile(path, context, cancel, offer);
    if (added) continue;
    Error error = std::move(added).error();
    if (!by_default) return Fail(std::move(error));
    return Fail(std::move(error)
                    .While(kSocketVariable)
                    .WithHint("is the ssh-agent still running? eval $(ssh-agent); ssh-add starts "
                              "one; a key needs none: --ssh ID=KEYFILE"));
  }
  for (const std::string& name : source.variables)
    TRY(AddVariable(name, environment, cancel, offer));
  if (offer.agent_socket.empty() || offer.identities.empty()) return offer;
  return Fail(Error(ErrorCode::kUsage, "an agent and keys cannot be given for one id")
                  .WithHint("give the keys an id of their own, or add them to the agent"));
}

Error ContextWithoutKey() {
  return Error(ErrorCode::kInvalid,
               "the build context is fetched over ssh, and no --ssh says by which key")
      .WithHint(
          "--ssh default for an ssh-agent, --ssh default=KEYFILE, or --ssh "
          "default=env=VARIABLE");
}

}  // namespace

Result<std::vector<session::SshOffer>> PlanSsh(const options::BuildOptions& options,
                                               const Environment& environment,
                                               const Cancel& cancel) {
  std::vector<options::SshSource> sources = options.sources.ssh;
  const auto git = ParseGitUrl(options.context);
  if (sources.empty() && git && git->over_ssh) {
    if (Variable(environment, std::string(kSocketVariable)).empty()) {
      return Fail(ContextWithoutKey());
    }
    sources.push_back({"default", {}, {}});
  }
  std::vector<session::SshOffer> offers;
  if (sources.empty()) return offers;
  std::error_code error;
  const bool local = options.context != "-" && !IsRemoteContext(options.context);
  const std::string context =
      local ? std::filesystem::absolute(options.context, error).string() : "";
  for (const options::SshSource& source : sources) {
    auto offer = PlanOne(source, context, environment, cancel);
    if (!offer) return Fail(std::move(offer).error().While(FlagOf(source.id)));
    offers.push_back(*std::move(offer));
  }
  return offers;
}

}  // namespace depot::plan
