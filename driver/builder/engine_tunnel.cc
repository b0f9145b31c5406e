#include "driver/builder/engine_tunnel.h"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "driver/base/json.h"
#include "driver/base/task_group.h"
#include "driver/base/text.h"
#include "driver/builder/engine_driver.h"
#include "driver/builder/schemes.h"
#include "driver/disk/temporary_folder.h"

namespace depot::builder {
namespace {

constexpr std::size_t kPiece = 64 << 10;

/// A listening socket, and what it is called by now.
struct Listener {
  Fd socket;
  Fd node;  ///< the socket's place in the file system, which has no name any more
};

Result<Listener> Listen(const std::string& temporary) {
  // For the moment between the socket's birth and the loss of its name.
  TRY_ASSIGN(const disk::TemporaryFolder folder, disk::TemporaryFolder::Make(temporary));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = folder.path() + "/engine";
  if (path.size() >= sizeof address.sun_path) {
    return Fail(ErrorCode::kInvalid, Cat("the path of the folder ", temporary, " is too long"));
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  Listener listener;
  listener.socket.Reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!listener.socket.valid()) return Fail(SystemError("socket", errno));
  if (::bind(listener.socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(listener.socket.get(), 16) != 0) {
    return Fail(SystemError(Cat("listen on ", path), errno));
  }
  listener.node.Reset(::open(path.c_str(), O_PATH | O_CLOEXEC));
  if (!listener.node.valid()) return Fail(SystemError(Cat("open ", path), errno));
  return listener;
}

class ProgramTunnel final : public EngineTunnel {
 public:
  ProgramTunnel(Listener listener, Endpoint engine)
      : listener_(std::move(listener)),
        engine_(std::move(engine)),
        path_(Cat("/proc/self/fd/", listener_.node.get())) {
    threads_.Start("engine-tunnel", [this](const Cancel& stop) { return Accept(stop); });
  }
  ProgramTunnel(const ProgramTunnel&) = delete;
  ProgramTunnel& operator=(const ProgramTunnel&) = delete;
  ~ProgramTunnel() override { threads_.Stop(Error(ErrorCode::kCancelled, "no longer needed")); }

  const std::string& path() const override { return path_; }

 private:
  Result<> Accept(const Cancel& stop) {
    while (WaitForFd(listener_.socket.get(), POLLIN, stop)) {
      int accepted = ::accept4(listener_.socket.get(), nullptr, nullptr, SOCK_CLOEXEC);
      if (accepted < 0) continue;
      auto client = std::make_shared<Fd>(accepted);
      threads_.Start("tunnel", [this, client](const Cancel& cancel) -> Result<> {
        Serve(rpc::MakeSocketStream(std::move(*client)), cancel);
        return {};
      });
    }
    return {};
  }

  /// Passes one connection on, until either side ends it.
  void Serve(std::unique_ptr<rpc::ByteStream> client, const Cancel& cancel) {
    auto engine = Dial(engine_, cancel);
    TaskGroup group(cancel);
    group.Start("tunnel-up", [&](const Cancel& stop) {
      return PassUp(*client, engine ? engine->get() : nullptr, stop);
    });
    bool answered = false;
    Result<> ended = engine ? PassDown(**engine, *client, answered, cancel) : Fail(engine.error());
    if (ended || answered) {
      client->Close();
    } else {
      Answer502(*client, ended.error(), cancel);
    }
    (void)group.Wait();
  }

  /// Until the client hangs up, which ends the engine's side. The other way round nothing ends
  /// here: who reads from the engine learns why it takes no more, and a client is only told if it
  /// can send its request first.
  static Result<> PassUp(rpc::ByteStream& client, rpc::ByteStream* engine, const Cancel& cancel) {
    bool taken = engine != nullptr;
    const auto buffer = std::make_shared<std::string>(kPiece, '\0');
    while (true) {
      Result<rpc::Bytes> piece = NextPiece(client, buffer, cancel);
      if (!piece || piece->empty()) break;
      taken = taken && engine->Write({*std::move(piece)}, cancel);
    }
    if (engine != nullptr) engine->Close();
    return {};
  }

  /// `answered`: the client got something.
  static Result<> PassDown(rpc::ByteStream& engine,
                           rpc::ByteStream& client,
                           bool& answered,
                           const Cancel& cancel) {
    const auto buffer = std::make_shared<std::string>(kPiece, '\0');
    while (true) {
      TRY_ASSIGN(rpc::Bytes piece, NextPiece(engine, buffer, cancel));
      if (piece.empty()) return {};
      answered = true;
      TRY(client.Write({std::move(piece)}, cancel));
    }
  }

  /// Empty at the end; valid until `buffer` is used again.
  static Result<rpc::Bytes> NextPiece(rpc::ByteStream& from,
                                      const std::shared_ptr<std::string>& buffer,
                                      const Cancel& cancel) {
    TRY_ASSIGN(std::size_t got, from.Read(buffer->data(), buffer->size(), cancel));
    return rpc::Bytes(buffer, std::string_view(*buffer).substr(0, got));
  }

  /// As the Engine would: its errors are JSON with a message. The client closes.
  static void Answer502(rpc::ByteStream& client, const Error& error, const Cancel& cancel) {
    Json body = Json::Object();
    body.Set("message", Json::String(error.message()));
    std::string text = body.Dump();
    (void)client.Write({rpc::Bytes(Cat("HTTP/1.1 502 Bad Gateway\r\nConnection: close\r\n"
                                       "Content-Type: application/json\r\nContent-Length: ",
                                       text.size(), "\r\n\r\n", text))},
                       cancel);
  }

  const Listener listener_;
  const Endpoint engine_;
  const std::string path_;
  TaskGroup threads_{Cancel::Never()};  // last: its threads use the rest
};

}  // namespace

Result<std::unique_ptr<EngineTunnel>> OpenEngineTunnel(docker::EngineEndpoint& endpoint,
                                                       const std::string& temporary) {
  TRY_ASSIGN(Endpoint engine, EndpointOfEngine(endpoint));
  if (engine.program.empty()) return nullptr;
  Result<Listener> listener = Listen(temporary);
  if (!listener) return Fail(std::move(listener).error().While("reaching the Docker Engine"));
  auto tunnel = std::make_unique<ProgramTunnel>(*std::move(listener), std::move(engine));
  endpoint.tunnel = tunnel->path();
  return tunnel;
}

}  // namespace depot::builder
