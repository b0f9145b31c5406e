#include "driver/rpc/server.h"

#include <condition_variable>
#include <deque>

#include <nghttp2/nghttp2.h>

#include "driver/base/shown.h"
#include "driver/base/task_group.h"
#include "driver/base/text.h"
#include "driver/rpc/h2_connection.h"
#include "driver/rpc/wire.h"

namespace depot::rpc {
namespace {

constexpr H2Limits kServerLimits{.message = 16 << 20, .unfinished = 64 << 20};
/// Handlers at work; a call that the peer has reset counts until its handler has noticed.
constexpr std::size_t kMaxHandlers = 128;

class AcceptedCall final : public ServerCall {
 public:
  AcceptedCall(H2Connection& connection, H2Connection::StreamPtr stream, Metadata metadata)
      : connection_(connection), stream_(std::move(stream)), metadata_(std::move(metadata)) {}

  const Metadata& metadata() const override { return metadata_; }

  Result<std::optional<std::string>> Read(const Cancel& cancel) override {
    TRY_ASSIGN(std::optional<std::string> message, connection_.Receive(stream_, cancel));
    if (message) return message;
    // A half-close is the peer's good end; a reset or a lost connection is not.
    bool half_closed =
        connection_.With(stream_, [](const H2Stream& stream) { return stream.remote_closed; });
    if (!half_closed) return Fail(ErrorCode::kCancelled, "the peer cancelled the call");
    return std::nullopt;
  }

  Result<> Write(BytesList message, const Cancel& cancel) override {
    std::string prefix;
    AppendFrame(prefix, TotalSize(message));
    message.insert(message.begin(), Bytes(std::move(prefix)));
    return connection_.Send(stream_, std::move(message), cancel);
  }

  Result<> WriteFramed(BytesList frames, const Cancel& cancel) override {
    return connection_.Send(stream_, std::move(frames), cancel);
  }

 private:
  H2Connection& connection_;
  H2Connection::StreamPtr stream_;
  Metadata metadata_;
};

/// Runs handlers on threads that are used again, since a session may see thousands of short calls.
class Workers {
 public:
  /// A handler, and after it what tells the peer that it has ended.
  struct Job {
    std::function<Status(const Cancel&)> handle;
    std::function<void(const Status&)> answer;
  };

  explicit Workers(const Cancel& cancel) : threads_(cancel) {}

  /// False when too many are at work, or after Stop().
  bool Run(Job job) {
    std::lock_guard lock(mutex_);
    if (stopped_ || busy_ + jobs_.size() >= kMaxHandlers) return false;
    jobs_.push_back(std::move(job));
    if (started_ - busy_ < jobs_.size()) {
      ++started_;
      threads_.Start("session-call", [this](const Cancel& cancel) { return Work(cancel); });
    }
    changed_.notify_one();
    return true;
  }

  /// Fails when there was no thread for a job: then all of them stop.
  Result<> Working() const { return threads_.cancel().Check(); }

  /// When this returns no job runs, and none will.
  void Stop(const Error& reason) {
    {
      // The reader thread may still bring a call; its job would outlive the connection.
      std::lock_guard lock(mutex_);
      stopped_ = true;
    }
    threads_.Stop(reason);
    (void)threads_.Wait();
  }

 private:
  Result<> Work(const Cancel& cancel) {
    std::unique_lock lock(mutex_);
    while (cancel.Wait(lock, changed_, [&] { return !jobs_.empty(); })) {
      Job job = std::move(jobs_.front());
      jobs_.pop_front();
      ++busy_;
      lock.unlock();
      Status status = job.handle(cancel);
      lock.lock();
      // Its place is free before the peer is told: a peer that keeps to its limit may call again at
      // once.
      --busy_;
      lock.unlock();
      job.answer(status);
      lock.lock();
    }
    return {};
  }

  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<Job> jobs_;
  std::size_t busy_ = 0;
  std::size_t started_ = 0;
  bool stopped_ = false;
  TaskGroup threads_;
};

/// Runs one handler. The call's Cancel stops when its stream is gone, which is seen by Read and
/// Write themselves; a handler that does neither is short.
Status Handle(H2Connection& connection,
              const H2Connection::StreamPtr& stream,
              const Handler& handler,
              const Cancel& cancel) {
  Metadata metadata =
      connection.With(stream, [](H2Stream& s) { return ReadMetadata(std::move(s.headers)); });
  connection.Respond(stream, {{":status", "200"}, {"content-type", "application/grpc"}});
  AcceptedCall call(connection, stream, std::move(metadata));
  Status status = handler(call, cancel);
  // What was wrong with the peer's bytes is told in gRPC's own terms.
  connection.With(stream, [&](const H2Stream& s) {
    if (s.fault) status = *s.fault;
  });
  return status;
}

}  // namespace

void ServiceTable::Add(const std::string& method, Handler handler) {
  methods_.push_back(method);
  handlers_[LowerAscii(method)] = std::move(handler);
}

const Handler* ServiceTable::Find(const std::string& path) const {
  auto found = handlers_.find(LowerAscii(path));
  return found == handlers_.end() ? nullptr : &found->second;
}

Handler UnaryHandler(UnaryFunction function) {
  return [function = std::move(function)](ServerCall& call, const Cancel& cancel) -> Status {
    Result<std::optional<std::string>> request = call.Read(cancel);
    if (!request) return ToStatus(request.error());
    if (!*request) return {Code::kInvalidArgument, "no request message", ""};
    std::string response;
    Status status = function(call.metadata(), **request, response, cancel);
    if (!status.ok()) return status;
    Result<> written = call.Write({Bytes(std::move(response))}, cancel);
    return written ? status : ToStatus(written.error());
  };
}

Result<> Serve(std::unique_ptr<ByteStream> stream,
               const ServiceTable& table,
               const Cancel& cancel) {
  Workers workers(cancel);
  H2Connection* self = nullptr;
  auto on_request = [&](const H2Connection::StreamPtr& request) {
    std::optional<Status> refusal;
    std::string path = self->With(request, [&](const H2Stream& s) {
      refusal = s.fault;
      return std::string(FindHeader(s.headers, ":path"));
    });
    const Handler* handler = table.Find(path);
    if (!refusal && handler == nullptr) {
      refusal = Status{Code::kUnimplemented, Cat("unknown method ", Printable(path)), ""};
    }
    if (refusal) {
      self->Respond(request, {{":status", "200"}, {"content-type", "application/grpc"}});
      self->EndSend(request, StatusTrailers(*refusal));
      return;
    }
    bool accepted = workers.Run(
        {.handle = [=](const Cancel& stop) { return Handle(*self, request, *handler, stop); },
         .answer = [=](const Status& status) { self->EndSend(request, StatusTrailers(status)); }});
    if (!accepted) self->Reset(request, NGHTTP2_REFUSED_STREAM);
    if (Result<> working = workers.Working(); !working) self->Close(working.error());
  };
  H2Connection connection(H2Connection::Role::kServer, std::move(stream), kServerLimits,
                          on_request);
  self = &connection;
  connection.Start();
  Result<> ended = connection.WaitClosed(cancel);
  Error reason(ErrorCode::kCancelled, "the session has ended");
  connection.Close(reason);
  workers.Stop(reason);
  return ended;
}

}  // namespace depot::rpc
