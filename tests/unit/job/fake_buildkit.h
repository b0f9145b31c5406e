#pragma once

#include <condition_variable>
#include <cstring>
#include <functional>
#include <mutex>
#include <string>
#include <utility>

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "proto/control.pb.h"

#include "driver/base/task_group.h"
#include "driver/base/text.h"
#include "driver/oci/digest.h"
#include "driver/rpc/server.h"

namespace depot::test {

/// A daemon on a unix socket that speaks BuildKit's protocol: it has one worker, for linux, asks
/// for nothing in the session, and says of every solve that it made the image that the exporter
/// names.
class FakeBuildkit {
 public:
  explicit FakeBuildkit(const std::string& socket_path, std::string architecture = "amd64")
      : url_(Cat("unix://", socket_path)), architecture_(std::move(architecture)) {
    AddControl();
    socket_.Reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, socket_path.c_str(), sizeof address.sun_path - 1);
    (void)::bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address);
    (void)::listen(socket_.get(), 16);
    threads_.Start("accept", [this](const Cancel& cancel) -> Result<> {
      while (WaitForFd(socket_.get(), POLLIN, cancel)) {
        auto fd = std::make_shared<Fd>(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
        {
          std::lock_guard lock(mutex_);
          ++connections_;
        }
        threads_.Start("serve", [this, fd](const Cancel& stop) -> Result<> {
          (void)rpc::Serve(rpc::MakeSocketStream(std::move(*fd)), table_, stop);
          return {};
        });
      }
      return {};
    });
  }

  const std::string& url() const { return url_; }

  /// No solve ends before so many have begun.
  void SolveTogether(int count) { together_ = count; }

  /// Solves of this image fail, with these words.
  void FailFor(const std::string& name, const std::string& message) {
    failing_ = name;
    message_ = message;
  }

  int connections() {
    std::lock_guard lock(mutex_);
    return connections_;
  }

 private:
  void AddControl() {
    namespace control = moby::buildkit::v1;
    table_.Add("/moby.buildkit.v1.Control/ListWorkers",
               rpc::UnaryHandler([this](const rpc::Metadata&, const std::string&,
                                        std::string& response, const Cancel&) {
                 control::ListWorkersResponse workers;
                 control::WorkerPlatform* platform = workers.add_record()->add_platforms();
                 platform->set_os("linux");
                 platform->set_architecture(architecture_);
                 response = workers.SerializeAsString();
                 return rpc::Status{};
               }));
    table_.Add("/moby.buildkit.v1.Control/Session",
               [](rpc::ServerCall& call, const Cancel& cancel) -> rpc::Status {
                 while (true) {
                   auto message = call.Read(cancel);
                   if (!message || !*message) return {};
                 }
               });
    table_.Add("/moby.buildkit.v1.Control/Status",
               [](rpc::ServerCall&, const Cancel&) { return rpc::Status{}; });
    for (const char* method : {"Solve", "Return"}) {
      table_.Add(std::string("/moby.buildkit.v1.frontend.LLBBridge/") + method,
                 rpc::UnaryHandler([](const rpc::Metadata&, const std::string&, std::string&,
                                      const Cancel&) { return rpc::Status{}; }));
    }
    table_.Add(
        "/moby.buildkit.v1.Control/Solve",
        rpc::UnaryHandler([this](const rpc::Metadata&, const std::string& text,
                                 std::string& response, const Cancel& cancel) -> rpc::Status {
          control::SolveRequest request;
          (void)request.ParseFromString(text);
          std::string name = request.exporters_size() == 0
                                 ? ""
                                 : request.exporters(0).attrs().find("name")->second;
          {
            std::unique_lock lock(mutex_);
            ++begun_;
            changed_.notify_all();
            (void)cancel.Wait(lock, changed_, [this] { return begun_ >= together_; });
          }
          if (!failing_.empty() && name == failing_) return {rpc::Code::kUnknown, message_, ""};
          control::SolveResponse solved;
          (*solved.mutable_exporter_response())["image.name"] = name;
          (*solved.mutable_exporter_response())["containerimage.digest"] = DigestOf(name);
          response = solved.SerializeAsString();
          return {};
        }));
  }

  const std::string url_;
  const std::string architecture_;
  rpc::ServiceTable table_;
  Fd socket_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  int connections_ = 0;
  int begun_ = 0;
  int together_ = 1;
  std::string failing_;
  std::string message_;
  TaskGroup threads_{Cancel::Never()};
};

}  // namespace depot::test
