#include <algorithm>
#include <cerrno>
#include <condition_variable>

#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/session.pb.h"

#include "driver/base/fd.h"
#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/disk/lookup.h"
#include "driver/event/patience.h"
#include "driver/session/refusals.h"
#include "driver/session/services.h"

namespace depot::session {
namespace {

constexpr std::size_t kReadStep = 16 << 10;

Error TooLarge() {
  return Error(ErrorCode::kInvalid,
               Cat("larger than the ", kMaxSecretSize / 1024, " KiB that BuildKit allows"));
}

/// A file that was named; nothing is opened yet.
Result<disk::Found> FindSecretFile(const SecretSpec& spec) {
  TRY_ASSIGN(disk::Found found, disk::LookupTyped(spec.file, spec.context));
  if (S_ISDIR(found.status().st_mode)) {
    return Fail(ErrorCode::kInvalid, Cat(Printable(spec.file), ": is a directory"));
  }
  return found;
}

Result<> CheckSecret(const SecretSpec& spec) {
  if (spec.value) {
    if (spec.value->size() > kMaxSecretSize) return Fail(TooLarge());
    return {};
  }
  TRY_ASSIGN(const disk::Found found, FindSecretFile(spec));
  if (!found.readable()) return Fail(SystemError(Printable(spec.file), EACCES));
  // What is no plain file is not opened before it is wanted: its writer would notice.
  const bool plain = S_ISREG(found.status().st_mode);
  if (plain && static_cast<std::uint64_t>(found.status().st_size) > kMaxSecretSize) {
    return Fail(TooLarge().While(Printable(spec.file)));
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

/// What is being read. Content that arrived stays, whoever stopped waiting for the rest.
struct Source {
  Fd fd;
  std::string content;
  bool reading = false;
  bool ended = false;
};

/// Reads to the end of the file, or until it is too large.
Result<> ReadToEnd(Source& source, bool may_wait, const std::string& path, const Cancel& cancel) {
  // Reserved, so that no copy is left behind by growing.
  std::string& content = source.content;
  content.reserve(kMaxSecretSize + 1);
  while (content.size() <= kMaxSecretSize) {
    if (may_wait) TRY(WaitForFd(source.fd.get(), POLLIN, cancel));
    const std::size_t had = content.size();
    content.resize(std::min(had + kReadStep, kMaxSecretSize + 1));
    const ssize_t count = ::read(source.fd.get(), content.data() + had, content.size() - had);
    const int error_number = errno;
    content.resize(had + static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
    if (count == 0) {
      source.ended = true;
      return {};
    }
    if (count < 0 && error_number != EINTR && error_number != EAGAIN) {
      return Fail(SystemError(path, error_number));
    }
  }
  return Fail(TooLarge().While(path));
}

}  // namespace

class Secrets {
 public:
  Secrets(std::vector<SecretSpec> secrets, EventSink& sink, Masks& masks)
      : sink_(sink), refusals_(sink), masks_(masks), notices_(sink) {
    for (SecretSpec& spec : secrets) {
      std::string id = spec.id;
      secrets_.insert_or_assign(std::move(id), std::move(spec));
    }
  }

  Masks& masks() { return masks_; }

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
    if (!spec.said.empty()) notices_.Say(spec.said);
    if (spec.value) {
      if (spec.value->size() > kMaxSecretSize) return Fail(TooLarge().While(NameOf(id)));
      return *spec.value;
    }
    Result<Secret> read = Read(spec, cancel);
    if (!read) return Fail(Unreadable(id, std::move(read).error()));
    return read;
  }

 private:
  using Inode = std::pair<dev_t, ino_t>;

  Result<Secret> Read(const SecretSpec& spec, const Cancel& cancel) {
    TRY_ASSIGN(const disk::Found found, FindSecretFile(spec));
    const std::string path = Printable(spec.file);
    if (!S_ISREG(found.status().st_mode)) return ReadOnce(found, path, cancel);
    Source source;
    TRY_ASSIGN(source.fd, found.Open());
    TRY(ReadToEnd(source, false, path, cancel));
    return Secret(std::move(source.content));
  }

  /// A second reader of a pipe would get nothing, or what is left: all that ask, for whatever name
  /// and builder, share one reading.
  Result<Secret> ReadOnce(const disk::Found& found, const std::string& path, const Cancel& cancel) {
    std::unique_lock lock(mutex_);
    Source& source = once_[{found.status().st_dev, found.status().st_ino}];
    if (!cancel.Wait(lock, changed_, [&] { return !source.reading; })) return Fail(cancel.error());
    if (!source.ended) {
      source.reading = true;
      lock.unlock();
      Result<> read = ReadOn(source, found, path, cancel);
      lock.lock();
      source.reading = false;
      changed_.notify_all();
      TRY(read);
    }
    return Secret(source.content);
  }

  Result<> ReadOn(Source& source,
                  const disk::Found& found,
                  const std::string& path,
                  const Cancel& cancel) {
    if (!source.fd.valid()) {
      TRY_ASSIGN(source.fd, found.Open());
    }
    // Whoever writes to it may never come.
    const Patience waiting(sink_, {Cat("what is written into the pipe ", path)}, cancel);
    return ReadToEnd(source, true, path, waiting.cancel());
  }

  /// A vanished file is no reason for the builder to go on without it, which is what NotFound means
  /// to an optional secret.
  static Error Unreadable(const std::string& id, const Error& error) {
    ErrorCode code = error.code() == ErrorCode::kNotFound ? ErrorCode::kFailed : error.code();
    return Error(code, error.message()).While(NameOf(id));
  }

  EventSink& sink_;
  std::map<std::string, SecretSpec> secrets_;
  Refusals refusals_;
  Masks& masks_;
  Refusals notices_;  // said once, too, and not lost behind many refusals
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::map<Inode, Source> once_;
};

Result<> CheckSecrets(const std::vector<SecretSpec>& secrets) {
  for (const SecretSpec& spec : secrets) {
    Result<> checked = CheckSecret(spec);
    if (!checked) return Fail(std::move(checked).error().While(NameOf(spec.id)));
  }
  return {};
}

std::shared_ptr<Secrets> MakeSecrets(std::vector<SecretSpec> secrets,
                                     EventSink& sink,
                                     Masks& masks) {
  return std::make_shared<Secrets>(std::move(secrets), sink, masks);
}

void AddSecrets(rpc::ServiceTable& table, const std::shared_ptr<Secrets>& secrets, Faults& faults) {
  auto handler = [service = secrets, &faults](const rpc::Metadata&, const std::string& request,
                                              std::string& response,
                                              const Cancel& cancel) -> rpc::Status {
    GetSecretRequest asked;
    if (!asked.ParseFromString(request)) {
      return {rpc::Code::kInvalidArgument, "malformed request", ""};
    }
    Result<Secret> secret = service->Get(asked.id(), cancel);
    if (!secret) {
      // Of one that was given NotFound is never said, and nothing else is optional to a builder.
      const bool ours = secret.error().code() != ErrorCode::kNotFound;
      if (ours && !cancel.cancelled()) faults.Record(secret.error());
      return rpc::ToStatus(secret.error());
    }
    service->masks().Add(*secret);
    GetSecretResponse answer;
    answer.set_data(std::string(secret->Reveal()));
    answer.SerializeToString(&response);
    return {};
  };
  table.Add("/moby.buildkit.secrets.v1.Secrets/GetSecret", rpc::UnaryHandler(handler));
}

}  // namespace depot::session
