#include "plugin/deliver/stream_targets.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <poll.h>
#include <unistd.h>

#include "driver/base/task_group.h"

namespace depot::deliver {
namespace {

class FileTarget final : public session::StreamTarget {
 public:
  explicit FileTarget(disk::WholeFile& file) : file_(file) {}

  Result<> Write(std::string_view data, const Cancel& cancel) override {
    TRY(cancel.Check());
    return file_.Write(data);
  }

  Result<> End(const Cancel&) override { return {}; }

  Result<> StartOver() override { return file_.StartOver(); }

 private:
  disk::WholeFile& file_;
};

class DescriptorTarget final : public session::StreamTarget {
 public:
  DescriptorTarget(Fd descriptor, bool ours) : descriptor_(std::move(descriptor)), ours_(ours) {}

  Result<> Write(std::string_view data, const Cancel& cancel) override {
    // The descriptor may be shared with other programs, so it is not made non-blocking: a pipe that
    // polls writable takes PIPE_BUF bytes without blocking.
    constexpr std::size_t kPiece = 4096;
    while (!data.empty()) {
      TRY(WaitForFd(descriptor_.get(), POLLOUT, cancel));
      ssize_t put = ::write(descriptor_.get(), data.data(), std::min(data.size(), kPiece));
      if (put > 0) data.remove_prefix(static_cast<std::size_t>(put));
      written_ |= put > 0;
      if (put < 0 && errno != EINTR && errno != EAGAIN) {
        return Fail(SystemError("write the result to standard output", errno));
      }
    }
    return {};
  }

  Result<> End(const Cancel&) override { return {}; }

  Result<> StartOver() override {
    if (!ours_ && written_) {
      return Fail(ErrorCode::kFailed, "standard output has a part of the result already");
    }
    if (!written_) return {};
    if (::ftruncate(descriptor_.get(), 0) != 0 || ::lseek(descriptor_.get(), 0, SEEK_SET) != 0) {
      return Fail(SystemError("empty a builder's part of the result", errno));
    }
    written_ = false;
    return {};
  }

 private:
  Fd descriptor_;
  const bool ours_;  ///< nobody else reads it
  bool written_ = false;
};

/// A bounded pipe between the session's thread, which writes, and the Engine's, which reads.
class LoadTarget final : public session::StreamTarget {
 public:
  LoadTarget(docker::Engine& engine, EventSink& sink)
      : engine_(engine), sink_(sink), engine_task_(Cancel::Never()) {}

  ~LoadTarget() override {
    engine_task_.Stop(Error(ErrorCode::kCancelled, "the build has ended"));
    (void)engine_task_.Wait();
  }

  Result<> Write(std::string_view data, const Cancel& cancel) override {
    if (!started_) {
      started_ = true;
      engine_task_.Start("engine-load", [this](const Cancel& stop) { return Load(stop); });
    }
    TRY(engine_task_.cancel().Check());
    std::unique_lock lock(mutex_);
    while (!data.empty()) {
      bool room = cancel.Wait(lock, changed_, [&] { return loaded_ || held_.size() < kCapacity; });
      if (!room) return Fail(cancel.error());
      if (loaded_) return EarlyEnd();
      std::size_t size = std::min(data.size(), kCapacity - held_.size());
      held_.append(data.substr(0, size));
      data.remove_prefix(size);
      changed_.notify_all();
    }
    return {};
  }

  Result<> End(const Cancel& cancel) override {
    std::unique_lock lock(mutex_);
    if (!started_) return Fail(ErrorCode::kFailed, "the builder sent no image to load");
    ended_ = true;
    changed_.notify_all();
    if (!cancel.Wait(lock, changed_, [&] { return loaded_.has_value(); })) {
      return Fail(cancel.error());
    }
    return *loaded_;
  }

  Result<> StartOver() override {
    if (!started_) return {};
    return Fail(ErrorCode::kFailed, "the Docker Engine has a part of the image already");
  }

 private:
  static constexpr std::size_t kCapacity = 1 << 20;

  Result<> Load(const Cancel& cancel) {
    Step step(sink_, "importing to docker");
    Result<> loaded = step.Finish(engine_.Load(
        [this, &cancel](char* into, std::size_t capacity) { return Take(into, capacity, cancel); },
        step, cancel));
    if (!loaded) loaded = Fail(std::move(loaded).error().At(FailedAt::kEngine));
    std::lock_guard lock(mutex_);
    loaded_ = std::move(loaded);
    changed_.notify_all();
    return {};
  }

  Result<std::size_t> Take(char* into, std::size_t capacity, const Cancel& cancel) {
    std::unique_lock lock(mutex_);
    if (!cancel.Wait(lock, changed_, [&] { return ended_ || !held_.empty(); })) {
      return Fail(cancel.error());
    }
    std::size_t size = std::min(capacity, held_.size() - taken_);
    std::memcpy(into, held_.data() + taken_, size);
    taken_ += size;
    if (taken_ == held_.size()) {
      held_.clear();
      taken_ = 0;
      changed_.notify_all();
    }
    return size;
  }

  Result<> EarlyEnd() const {
    if (!*loaded_) return *loaded_;
    return Fail(ErrorCode::kFailed, "the Docker Engine stopped reading the image");
  }

  docker::Engine& engine_;
  EventSink& sink_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::string held_;
  std::size_t taken_ = 0;  // of held_
  bool started_ = false;
  bool ended_ = false;
  std::optional<Result<>> loaded_;
  TaskGroup engine_task_;
};

}  // namespace

std::unique_ptr<session::StreamTarget> MakeFileTarget(disk::WholeFile& file) {
  return std::make_unique<FileTarget>(file);
}

std::unique_ptr<session::StreamTarget> MakeDescriptorTarget(Fd descriptor) {
  return std::make_unique<DescriptorTarget>(std::move(descriptor), false);
}

std::unique_ptr<session::StreamTarget> MakePartTarget(Fd file) {
  return std::make_unique<DescriptorTarget>(std::move(file), true);
}

std::unique_ptr<session::StreamTarget> MakeLoadTarget(docker::Engine& engine, EventSink& sink) {
  return std::make_unique<LoadTarget>(engine, sink);
}

}  // namespace depot::deliver
