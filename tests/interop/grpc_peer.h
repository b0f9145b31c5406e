#pragma once

// The official gRPC library as the peer: raw messages, calls that block, connections by descriptor.

#include <functional>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <grpcpp/create_channel_posix.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/server_posix.h>
#include <sys/socket.h>

#include "driver/base/fd.h"
#include "driver/base/task_group.h"

namespace depot::interop {

inline std::pair<Fd, Fd> SocketPair() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) {
    throw std::runtime_error("no socketpair");
  }
  return {Fd(ends[0]), Fd(ends[1])};
}

inline grpc::ByteBuffer ToBuffer(const std::string& text) {
  grpc::Slice slice(text);
  return grpc::ByteBuffer(&slice, 1);
}

inline std::string ToText(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  (void)buffer.Dump(&slices);
  std::string text;
  for (const grpc::Slice& slice : slices)
    text.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  return text;
}

/// A completion queue of one call: one operation at a time, waited for.
class Waiter {
 public:
  ~Waiter() {
    queue_.Shutdown();
    void* tag = nullptr;
    bool good = false;
    while (queue_.Next(&tag, &good)) {
    }
  }

  /// Whether the operation that was begun has succeeded.
  bool Wait() {
    void* tag = nullptr;
    bool good = false;
    return queue_.Next(&tag, &good) && good;
  }

  grpc::CompletionQueue* queue() { return &queue_; }

 private:
  grpc::CompletionQueue queue_;
};

/// A call that a real server has been asked. A failing Read() is the client's half-close or cancel.
class ServedCall {
 public:
  bool Read(std::string& text) {
    grpc::ByteBuffer buffer;
    stream.Read(&buffer, this);
    if (!waiter.Wait()) return false;
    text = ToText(buffer);
    return true;
  }
  bool Write(const std::string& text) {
    stream.Write(ToBuffer(text), this);
    return waiter.Wait();
  }
  void Finish(const grpc::Status& status) {
    stream.Finish(status, this);
    (void)waiter.Wait();
  }
  /// The value of a request header; "" without one.
  std::string Metadata(const std::string& key) {
    auto found = context.client_metadata().find(key);
    return found == context.client_metadata().end()
               ? ""
               : std::string(found->second.data(), found->second.size());
  }

  Waiter waiter;
  grpc::GenericServerContext context;
  grpc::GenericServerAsyncReaderWriter stream{&context};
};

/// A real server whose methods are functions; one that is unknown is answered with UNIMPLEMENTED.
class RealServer {
 public:
  using Handlers = std::map<std::string, std::function<void(ServedCall&)>>;

  explicit RealServer(
      Handlers handlers, const std::function<void(grpc::ServerBuilder&)>& configure = [](auto&) {})
      : handlers_(std::move(handlers)) {
    grpc::ServerBuilder builder;
    builder.SetMaxReceiveMessageSize(-1);
    builder.SetMaxSendMessageSize(-1);
    builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, 8 << 20);
    configure(builder);
    builder.RegisterAsyncGenericService(&service_);
    queue_ = builder.AddCompletionQueue();
    server_ = builder.BuildAndStart();
    if (!server_) throw std::runtime_error("no gRPC server");
    threads_.Start("accept", [this](const Cancel&) { return Accept(); });
  }

  ~RealServer() {
    Shutdown(std::chrono::milliseconds(0));
    (void)threads_.Wait();
    queue_->Shutdown();
    void* tag = nullptr;
    bool good = false;
    while (queue_->Next(&tag, &good)) {
    }
  }

  /// The client's end of a new connection.
  Fd Connect() {
    auto [ours, theirs] = SocketPair();
    grpc::AddInsecureChannelFromFd(server_.get(), theirs.Release());
    return std::move(ours);
  }

  /// Says GOAWAY, and cancels the calls that run longer than that.
  void Shutdown(std::chrono::milliseconds patience) {
    server_->Shutdown(std::chrono::system_clock::now() + patience);
  }

 private:
  Result<> Accept() {
    while (true) {
      auto call = std::make_shared<ServedCall>();
      service_.RequestCall(&call->context, &call->stream, call->waiter.queue(), queue_.get(), this);
      void* tag = nullptr;
      bool good = false;
      if (!queue_->Next(&tag, &good) || !good) return {};
      threads_.Start("served", [this, call](const Cancel&) -> Result<> {
        auto found = handlers_.find(call->context.method());
        if (found == handlers_.end()) {
          call->Finish({grpc::StatusCode::UNIMPLEMENTED, "no such method"});
        } else {
          found->second(*call);
        }
        return {};
      });
    }
  }

  Handlers handlers_;
  grpc::AsyncGenericService service_;
  std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  std::unique_ptr<grpc::Server> server_;
  TaskGroup threads_{Cancel::Never()};
};

/// A call of a real channel.
class RealCall {
 public:
  using Prepare = std::function<void(grpc::ClientContext&)>;

  RealCall(
      const std::shared_ptr<grpc::Channel>& channel,
      const std::string& method,
      const Prepare& prepare = [](grpc::ClientContext&) {})
      : stub_(channel) {
    prepare(context);
    stream_ = stub_.PrepareCall(&context, method, waiter_.queue());
    stream_->StartCall(this);
    started = waiter_.Wait();
  }
  ~RealCall() {
    context.TryCancel();
    if (!finished_) (void)Finish();
  }

  bool Write(const std::string& text) {
    stream_->Write(ToBuffer(text), this);
    return waiter_.Wait();
  }
  bool WritesDone() {
    stream_->WritesDone(this);
    return waiter_.Wait();
  }
  bool Read(std::string& text) {
    grpc::ByteBuffer buffer;
    stream_->Read(&buffer, this);
    if (!waiter_.Wait()) return false;
    text = ToText(buffer);
    return true;
  }
  grpc::Status Finish() {
    finished_ = true;
    grpc::Status status;
    stream_->Finish(&status, this);
    (void)waiter_.Wait();
    return status;
  }

  grpc::ClientContext context;
  bool started = false;

 private:
  Waiter waiter_;
  grpc::GenericStub stub_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> stream_;
  bool finished_ = false;
};

}  // namespace depot::interop
