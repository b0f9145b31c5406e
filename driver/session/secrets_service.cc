#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <set>

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

#include "proto/session.pb.h"

#include "driver/base/fd.h"
#include "driver/base/text.h"
#include "driver/session/refusals.h"
#include "driver/session/services.h"

namespace depot::session {
namespace {

constexpr std::size_t kReadStep = 16 << 10;

Error TooLarge() {
  return Error(ErrorCode::kInvalid,
               Cat("larger than the ", kMaxSecretSize / 1024, " KiB that BuildKit allows"));
}

Result<struct stat> StatSecretFile(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return Fail(SystemError(path, errno));
  if (S_ISDIR(info.st_mode)) return Fail(ErrorCode::kInvalid, Cat(path, ": is a directory"));
  return info;
}

Result<Fd> OpenSecretFile(const std::string& path) {
  // Non-blocking, because a fifo without a writer would hold us for ever.
  Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd.valid()) return Fail(SystemError(path, errno));
  return fd;
}

/// The whole file. What is not a regular file (`src=<(command)`) is waited for.
Result<Secret> ReadSecretFile(const std::string& path, const Cancel& cancel) {
  TRY_ASSIGN(struct stat info, StatSecretFile(path));
  TRY_ASSIGN(Fd fd, OpenSecretFile(path));
  // Reserved, so that no copy is left behind by growing.
  std::string content;
  content.reserve(kMaxSecretSize + 1);
  while (content.size() <= kMaxSecretSize) {
    if (!S_ISREG(info.st_mode)) TRY(WaitForFd(fd.get(), POLLIN, cancel));
    std::size_t had = content.size();
    content.resize(std::min(had + kReadStep, kMaxSecretSize + 1));
    ssize_t count = ::read(fd.get(), content.data() + had, content.size() - had);
    int error_number = errno;
    content.resize(had + static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
    if (count == 0) return Secret(std::move(content));
    if (count < 0 && error_number != EINTR && error_number != EAGAIN) {
      return Fail(SystemError(path, error_number));
    }
  }
  return Fail(TooLarge().While(path));
}

Result<> CheckSecret(const SecretSpec& spec) {
  if (spec.value) {
    if (spec.value->size() > kMaxSecretSize) return Fail(TooLarge());
    return {};
  }
  TRY_ASSIGN(struct stat info, StatSecretFile(spec.file));
  // Opening a fifo, even only for a look, would disturb whoever writes to it.
  if (!S_ISREG(info.st_mode)) {
    if (::access(spec.file.c_str(), R_OK) != 0) return Fail(SystemError(spec.file, errno));
    return {};
  }
  TRY(OpenSecretFile(spec.file));
  if (static_cast<std::uint64_t>(info.st_size) > kMaxSecretSize) {
    return Fail(TooLarge().While(spec.file));
  }
  return {};
}

/// What a builder looks for in every build of a git or web context, whether it is needed or not
/// (moby/buildkit source/git, source/http).
bool IsAskedAnyway(std::string_view id) {
  for (std::string_view name : {"GIT_AUTH_TOKEN", "GIT_AUTH_HEADER"}) {
    if (id == name || id.starts_with(Cat(name, '.'))) return true;
  }
  return id.starts_with("HTTP_AUTH_TOKEN_") || id.starts_with("HTTP_AUTH_HEADER_");
}

std::string NameOf(const std::string& id) {
  return Cat("secret \"", Printable(id), '"');
}

class Secrets {
 public:
  Secrets(std::vector<SecretSpec> secrets, EventSink& sink) : refusals_(sink) {
    for (SecretSpec& spec : secrets) {
      std::string id = spec.id;
      secrets_.insert_or_assign(std::move(id), std::move(spec));
    }
  }

  Result<Secret> Get(const std::string& id, const Cancel& cancel) {
    auto found = secrets_.find(id);
    if (found == secrets_.end()) {
      if (!IsAskedAnyway(id)) {
        refusals_.Say(Cat("the builder asked for secret \"", id,
                          "\", which this build was not given (--secret id=", id, ",...)"));
      }
      return Fail(ErrorCode::kNotFound, Cat("secret ", Printable(id), ": not found"));
    }
    const SecretSpec& spec = found->second;
    if (spec.value) {
      if (spec.value->size() > kMaxSecretSize) return Fail(TooLarge().While(NameOf(id)));
      return *spec.value;
    }
    Result<Secret> read = ReadOnceIfPipe(spec, cancel);
    if (!read) return Fail(Unreadable(id, std::move(read).error()));
    return read;
  }

 private:
  /// A second reader of a pipe would get an empty secret, so what it gave is kept.
  Result<Secret> ReadOnceIfPipe(const SecretSpec& spec, const Cancel& cancel) {
    TRY_ASSIGN(struct stat info, StatSecretFile(spec.file));
    if (S_ISREG(info.st_mode)) return ReadSecretFile(spec.file, cancel);
    std::unique_lock lock(mutex_);
    if (!cancel.Wait(lock, changed_, [&] { return !reading_.contains(spec.id); })) {
      return Fail(cancel.error());
    }
    if (auto kept = kept_.find(spec.id); kept != kept_.end()) return kept->second;
    reading_.insert(spec.id);
    lock.unlock();
    Result<Secret> read = ReadSecretFile(spec.file, cancel);
    lock.lock();
    reading_.erase(spec.id);
    if (read) kept_.emplace(spec.id, *read);
    changed_.notify_all();
    return read;
  }

  /// A vanished file is no reason for the builder to go on without it, which is what NotFound means
  /// to an optional secret.
  static Error Unreadable(const std::string& id, const Error& error) {
    ErrorCode code = error.code() == ErrorCode::kNotFound ? ErrorCode::kFailed : error.code();
    return Error(code, error.message()).While(NameOf(id));
  }

  std::map<std::string, SecretSpec> secrets_;
  Refusals refusals_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::set<std::string> reading_;
  std::map<std::string, Secret> kept_;
};

}  // namespace

Result<> CheckSecrets(const std::vector<SecretSpec>& secrets) {
  for (const SecretSpec& spec : secrets) {
    Result<> checked = CheckSecret(spec);
    if (!checked) return Fail(std::move(checked).error().While(NameOf(spec.id)));
  }
  return {};
}

void AddSecrets(rpc::ServiceTable& table, std::vector<SecretSpec> secrets, EventSink& sink) {
  auto service = std::make_shared<Secrets>(std::move(secrets), sink);
  auto handler = [service](const rpc::Metadata&, const std::string& request, std::string& response,
                           const Cancel& cancel) -> rpc::Status {
    GetSecretRequest asked;
    if (!asked.ParseFromString(request)) {
      return {rpc::Code::kInvalidArgument, "malformed request", ""};
    }
    Result<Secret> secret = service->Get(asked.id(), cancel);
    if (!secret) return rpc::ToStatus(secret.error());
    GetSecretResponse answer;
    answer.set_data(std::string(secret->Reveal()));
    answer.SerializeToString(&response);
    return {};
  };
  table.Add("/moby.buildkit.secrets.v1.Secrets/GetSecret", rpc::UnaryHandler(handler));
}

}  // namespace depot::session
