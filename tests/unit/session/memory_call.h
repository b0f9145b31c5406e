#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "driver/base/text.h"
#include "driver/rpc/server.h"

namespace depot::session {

/// A call whose peer is the test: what the handler writes is taken apart into messages again, and
/// queued as the real engine queues it, with a bound.
class MemoryCall final : public rpc::ServerCall {
 public:
  explicit MemoryCall(rpc::Metadata metadata = {}) : metadata_(std::move(metadata)) {}

  const rpc::Metadata& metadata() const override { return metadata_; }

  Result<std::optional<std::string>> Read(const Cancel& cancel) override {
    std::unique_lock lock(mutex_);
    auto ready = [&] { return !to_handler_.empty() || half_closed_; };
    if (!cancel.Wait(lock, changed_, ready)) return Fail(cancel.error());
    if (to_handler_.empty()) return std::nullopt;
    std::string message = std::move(to_handler_.front());
    to_handler_.pop_front();
    return message;
  }

  Result<> Write(rpc::BytesList message, const Cancel& cancel) override {
    std::string prefix;
    rpc::AppendFrame(prefix, rpc::TotalSize(message));
    message.insert(message.begin(), rpc::Bytes(std::move(prefix)));
    return WriteFramed(std::move(message), cancel);
  }

  Result<> WriteFramed(rpc::BytesList frames, const Cancel& cancel) override {
    std::unique_lock lock(mutex_);
    if (!cancel.Wait(lock, changed_, [&] { return from_handler_.size() < kMaxQueued; })) {
      return Fail(cancel.error());
    }
    for (const rpc::Bytes& bytes : frames)
      from_handler_.append(bytes.view());
    ++writes_;
    changed_.notify_all();
    return {};
  }

  /// The peer sends a message.
  void Send(std::string message) {
    std::lock_guard lock(mutex_);
    to_handler_.push_back(std::move(message));
    changed_.notify_all();
  }

  /// The peer sends messages that have their prefixes.
  void SendFramed(std::string_view frames) {
    while (!frames.empty()) {
      std::size_t size = FrameSize(frames);
      Send(std::string(frames.substr(5, size)));
      frames.remove_prefix(5 + size);
    }
  }

  void HalfClose() {
    std::lock_guard lock(mutex_);
    half_closed_ = true;
    changed_.notify_all();
  }

  /// The handler has returned: Receive() gives what is left and then nothing.
  void End() {
    std::lock_guard lock(mutex_);
    ended_ = true;
    changed_.notify_all();
  }

  /// The next message for the peer; nullopt after End().
  std::optional<std::string> Receive() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return HasFrame() || ended_; });
    if (!HasFrame()) return std::nullopt;
    std::size_t size = FrameSize(from_handler_);
    std::string message = from_handler_.substr(5, size);
    from_handler_.erase(0, 5 + size);
    changed_.notify_all();
    return message;
  }

  int writes() {
    std::lock_guard lock(mutex_);
    return writes_;
  }

 private:
  static constexpr std::size_t kMaxQueued = 1 << 20;

  static std::size_t FrameSize(std::string_view frames) {
    std::size_t size = 0;
    for (char byte : frames.substr(1, 4))
      size = size << 8 | static_cast<unsigned char>(byte);
    return size;
  }

  bool HasFrame() const {
    return from_handler_.size() >= 5 && from_handler_.size() >= 5 + FrameSize(from_handler_);
  }

  rpc::Metadata metadata_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<std::string> to_handler_;
  std::string from_handler_;
  bool half_closed_ = false;
  bool ended_ = false;
  int writes_ = 0;
};

/// Runs the handler of `method` on a thread of its own against a MemoryCall.
class RunningCall {
 public:
  RunningCall(const rpc::ServiceTable& table, const std::string& method, rpc::Metadata metadata)
      : call_(std::move(metadata)), thread_([this, &table, method] {
          status_ = (*table.Find(method))(call_, source_.cancel());
          call_.End();
        }) {}

  ~RunningCall() {
    if (thread_.joinable()) {
      source_.Request(Error(ErrorCode::kCancelled, "the test is over"));
      thread_.join();
    }
  }

  MemoryCall& call() { return call_; }
  CancelSource& source() { return source_; }

  rpc::Status Finish() {
    thread_.join();
    return status_;
  }

 private:
  CancelSource source_;
  MemoryCall call_;
  rpc::Status status_;
  std::thread thread_;
};

/// A unary call from start to end; `response` is set when the status is OK.
inline rpc::Status Ask(const rpc::ServiceTable& table,
                       const std::string& method,
                       const std::string& request,
                       std::string& response) {
  RunningCall running(table, method, {});
  running.call().Send(request);
  running.call().HalfClose();
  rpc::Status status = running.Finish();
  if (std::optional<std::string> message = running.call().Receive()) response = *message;
  return status;
}

}  // namespace depot::session
