#include <atomic>
#include <cerrno>
#include <functional>
#include <optional>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "driver/base/random.h"
#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/disk/whole_file.h"
#include "driver/session/block_pool.h"
#include "driver/session/packets.h"
#include "driver/session/services.h"
#include "driver/session/zstd_reader.h"

namespace depot::session {
namespace {

// Below the 3 MiB that BuildKit's own client sends at most (BuildKit session/upload).
constexpr std::size_t kUploadChunk = 256 << 10;

/// What is offered under a name that nobody can guess.
class Upload {
 public:
  explicit Upload(Faults& faults) : faults_(faults) {}
  virtual ~Upload() = default;

  const std::string& id() const { return id_; }

  Result<> Pull(rpc::ServerCall& call, const Cancel& cancel) {
    std::string path = call.metadata().Get("urlpath").value_or("");
    if (std::string_view(path).substr(path.rfind('/') + 1) != id_) {
      return Fail(ErrorCode::kNotFound, Cat("no upload ", Printable(path)));
    }
    return Serve(call, cancel);
  }

 protected:
  using Read = std::function<Result<std::size_t>(char* into, std::size_t size)>;

  virtual Result<> Serve(rpc::ServerCall& call, const Cancel& cancel) = 0;

  /// All that `read` gives, until it gives nothing.
  Result<> SendAll(const Read& read, rpc::ServerCall& call, const Cancel& cancel) {
    BlockPool pool(kUploadChunk);
    while (true) {
      std::shared_ptr<char[]> block = pool.Take();
      Result<std::size_t> count = read(block.get(), kUploadChunk);
      if (!count && !cancel.cancelled()) faults_.Record(count.error());
      if (!count) return Fail(std::move(count).error());
      if (*count == 0) return {};
      std::string_view content(block.get(), *count);
      TRY(Send(rpc::Bytes(std::move(block), content), call, cancel));
    }
  }

  static Result<> Send(rpc::Bytes data, rpc::ServerCall& call, const Cancel& cancel) {
    while (!data.empty()) {
      rpc::Bytes chunk = data.TakeFront(std::min(data.size(), kUploadChunk));
      rpc::Bytes header(BytesMessageHeader(chunk.size()));
      TRY(call.WriteFramed({std::move(header), std::move(chunk)}, cancel));
    }
    return {};
  }

 private:
  Faults& faults_;
  const std::string id_ = RandomId();
};

Result<std::size_t> ReadInput(int input, char* into, std::size_t size, const Cancel& cancel) {
  while (true) {
    TRY(WaitForFd(input, POLLIN, cancel));
    ssize_t count = ::read(input, into, size);
    if (count >= 0) return static_cast<std::size_t>(count);
    if (errno == EINTR || errno == EAGAIN) continue;
    return Fail(SystemError("reading the context from standard input", errno));
  }
}

/// Fewer, larger reads; only pipes have this, and it is as well without.
void EnlargePipe(int input) {
  ::fcntl(input, F_SETPIPE_SZ, 1 << 20);
}

/// The archive on standard input in a form that BuildKit takes: bytes that were read already, the
/// rest, and all of it unpacked when it is zstd.
class Archive {
 public:
  Archive(std::string already_read, int input)
      : already_read_(std::move(already_read)), input_(input) {
    if (IsZstd(already_read_)) zstd_.emplace();
  }

  Result<std::size_t> Read(char* into, std::size_t size, const Cancel& cancel) {
    if (!zstd_) return ReadPacked(into, size, cancel);
    return zstd_->Read(into, size, [&](char* packed, std::size_t most) {
      return ReadPacked(packed, most, cancel);
    });
  }

 private:
  Result<std::size_t> ReadPacked(char* into, std::size_t size, const Cancel& cancel) {
    if (already_read_.empty()) return ReadInput(input_, into, size, cancel);
    const std::size_t count = already_read_.copy(into, size);
    already_read_.erase(0, count);
    return count;
  }

  std::string already_read_;
  const int input_;
  std::optional<ZstdReader> zstd_;
};

class StreamedUpload final : public Upload {
 public:
  StreamedUpload(std::string already_read, int input, Faults& faults)
      : Upload(faults), archive_(std::move(already_read), input), input_(input) {}

 private:
  Result<> Serve(rpc::ServerCall& call, const Cancel& cancel) override {
    if (pulled_.exchange(true)) {
      return Fail(ErrorCode::kNotFound, "the context from standard input was sent already");
    }
    EnlargePipe(input_);
    auto read = [&](char* into, std::size_t size) { return archive_.Read(into, size, cancel); };
    return SendAll(read, call, cancel);
  }

  Archive archive_;
  const int input_;
  std::atomic<bool> pulled_{false};
};

class StoredUpload final : public Upload {
 public:
  StoredUpload(int file, Faults& faults) : Upload(faults), file_(file) {}

 private:
  Result<> Serve(rpc::ServerCall& call, const Cancel& cancel) override {
    off_t offset = 0;
    auto read = [&](char* into, std::size_t size) -> Result<std::size_t> {
      ssize_t count = 0;
      do {
        count = ::pread(file_, into, size, offset);
      } while (count < 0 && errno == EINTR);
      if (count < 0) return Fail(SystemError("reading the kept context", errno));
      offset += count;
      return static_cast<std::size_t>(count);
    };
    return SendAll(read, call, cancel);
  }

  int file_;
};

Result<Fd> Store(std::string_view already_read,
                 int input,
                 const std::string& directory,
                 const Cancel& cancel) {
  TRY_ASSIGN(Fd file, disk::OpenNamelessFile(directory));
  EnlargePipe(input);
  Archive archive(std::string(already_read), input);
  std::string block(kUploadChunk, '\0');
  while (true) {
    TRY_ASSIGN(std::size_t count, archive.Read(block.data(), block.size(), cancel));
    if (count == 0) return file;
    const int error = disk::WriteAll(file.get(), std::string_view(block).substr(0, count));
    if (error != 0) return Fail(SystemError("write", error));
  }
}

std::string Offer(rpc::ServiceTable& table, const std::shared_ptr<Upload>& upload) {
  table.Add("/moby.upload.v1.Upload/Pull", [upload](rpc::ServerCall& call, const Cancel& cancel) {
    Result<> sent = upload->Pull(call, cancel);
    return sent ? rpc::Status{} : rpc::ToStatus(sent.error());
  });
  return Cat("http://buildkit-session/", upload->id());
}

}  // namespace

std::string AddUpload(rpc::ServiceTable& table,
                      std::string already_read,
                      int input,
                      Faults& faults) {
  return Offer(table, std::make_shared<StreamedUpload>(std::move(already_read), input, faults));
}

Result<Fd> StoreUpload(std::string_view already_read,
                       int input,
                       const std::string& directory,
                       const Cancel& cancel) {
  Result<Fd> file = Store(already_read, input, directory, cancel);
  if (file || cancel.cancelled()) return file;
  return Fail(std::move(file)
                  .error()
                  .While(Cat("keeping the context from standard input in ", directory))
                  .WithHint("several builders want it, so it is kept; TMPDIR says where"));
}

std::string AddStoredUpload(rpc::ServiceTable& table, int file, Faults& faults) {
  return Offer(table, std::make_shared<StoredUpload>(file, faults));
}

}  // namespace depot::session
