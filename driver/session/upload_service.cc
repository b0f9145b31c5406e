#include <atomic>
#include <cerrno>

#include <fcntl.h>
#include <poll.h>

#include "driver/base/random.h"
#include "driver/base/text.h"
#include "driver/session/block_pool.h"
#include "driver/session/packets.h"
#include "driver/session/services.h"

namespace depot::session {
namespace {

// Below the 3 MiB that BuildKit's own client sends at most (BuildKit session/upload).
constexpr std::size_t kChunk = 256 << 10;

class Upload {
 public:
  Upload(std::string already_read, int input)
      : already_read_(std::move(already_read)), input_(input) {}

  const std::string& id() const { return id_; }

  Result<> Pull(rpc::ServerCall& call, const Cancel& cancel) {
    std::string path = call.metadata().Get("urlpath").value_or("");
    if (std::string_view(path).substr(path.rfind('/') + 1) != id_) {
      return Fail(ErrorCode::kNotFound, Cat("no upload ", Printable(path)));
    }
    if (pulled_.exchange(true)) {
      return Fail(ErrorCode::kNotFound, "the context from standard input was sent already");
    }
    // Fewer, larger reads; only pipes have this, and it is as well without.
    ::fcntl(input_, F_SETPIPE_SZ, 1 << 20);
    if (!already_read_.empty()) {
      TRY(Send(rpc::Bytes(std::exchange(already_read_, {})), call, cancel));
    }
    BlockPool pool(kChunk);
    while (true) {
      TRY(WaitForFd(input_, POLLIN, cancel));
      std::shared_ptr<char[]> block = pool.Take();
      ssize_t count = ::read(input_, block.get(), kChunk);
      if (count == 0) return {};
      if (count < 0 && (errno == EINTR || errno == EAGAIN)) continue;
      if (count < 0) return Fail(SystemError("reading the context from standard input", errno));
      std::string_view content(block.get(), static_cast<std::size_t>(count));
      TRY(Send(rpc::Bytes(std::move(block), content), call, cancel));
    }
  }

 private:
  static Result<> Send(rpc::Bytes data, rpc::ServerCall& call, const Cancel& cancel) {
    while (!data.empty()) {
      rpc::Bytes chunk = data.TakeFront(std::min(data.size(), kChunk));
      rpc::Bytes header(BytesMessageHeader(chunk.size()));
      TRY(call.WriteFramed({std::move(header), std::move(chunk)}, cancel));
    }
    return {};
  }

  const std::string id_ = RandomId();
  std::string already_read_;
  int input_;
  std::atomic<bool> pulled_{false};
};

}  // namespace

std::string AddUpload(rpc::ServiceTable& table, std::string already_read, int input) {
  auto upload = std::make_shared<Upload>(std::move(already_read), input);
  table.Add("/moby.upload.v1.Upload/Pull", [upload](rpc::ServerCall& call, const Cancel& cancel) {
    Result<> sent = upload->Pull(call, cancel);
    return sent ? rpc::Status{} : rpc::ToStatus(sent.error());
  });
  return Cat("http://buildkit-session/", upload->id());
}

}  // namespace depot::session
