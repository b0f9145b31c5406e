#include "pool/web/server.h"

#include <mutex>
#include <optional>
#include <unordered_map>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "pool/web/listener.h"
#include "pool/web/session.h"
#include "pool/web/transport.h"

#include "driver/base/task_group.h"

namespace depot::web {
namespace {

namespace asio = boost::asio;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kStopPatience{5};
constexpr std::chrono::milliseconds kNoRoomPause{100};
constexpr int kAcceptsInARow = 32;

class SessionServer final : public Server {
 public:
  SessionServer(const Routes& routes, const Limits& limits, TlsContext tls)
      : routes_(routes), limits_(limits), tls_(std::move(tls)) {
    shared_.ended = [this](Session& session) { Forget(session); };
  }

  ~SessionServer() override {
    asio::post(loop_, [this] { Stop(); });
    (void)loop_thread_.Wait();
    workers_busy_.reset();
    worker_threads_.Stop(Error(ErrorCode::kCancelled, "the server has stopped"));
    (void)worker_threads_.Wait();
  }

  Result<> Start(Listener listener) {
    port_ = listener.port;
    boost::system::error_code error;
    listener_.assign(listener.socket.get(), error);
    if (error) return Fail(SystemError("watch the listening socket", error.value()));
    (void)listener.socket.Release();
    asio::co_spawn(
        loop_, [this] { return AcceptAll(); }, asio::detached);
    loop_thread_.Start("web loop", [this](const Cancel&) -> Result<> {
      loop_.run();
      return {};
    });
    for (std::size_t i = 0; i < limits_.workers; ++i) {
      worker_threads_.Start("web worker", [this](const Cancel&) -> Result<> {
        workers_.run();
        return {};
      });
    }
    return {};
  }

  std::uint16_t port() const override { return port_; }

  Result<> ReplaceTls(const ServerTls& tls) override {
    TRY_ASSIGN(TlsContext context, MakeTlsContext(tls));
    std::lock_guard lock(tls_mutex_);
    if (!context != !tls_) {
      return Fail(Error(ErrorCode::kInvalid, "TLS cannot be turned on or off while serving")
                      .WithHint("restart the server"));
    }
    tls_ = std::move(context);
    return {};
  }

 private:
  struct Entry {
    std::shared_ptr<Session> session;
    std::string network;
  };

  TlsContext tls() {
    std::lock_guard lock(tls_mutex_);
    return tls_;
  }

  // What follows runs on the loop's thread.

  asio::awaitable<void> AcceptAll() {
    while (!shared_.stopping) {
      auto [error] = co_await listener_.async_wait(asio::posix::descriptor_base::wait_read,
                                                   asio::as_tuple(asio::use_awaitable));
      if (error) co_return;
      Queue queue = Queue::kClient;
      for (int i = 0; i < kAcceptsInARow && queue == Queue::kClient; ++i)
        queue = AcceptOne();
      if (queue != Queue::kNoRoom) continue;
      CloseLongestIdle();
      accept_pause_.expires_after(kNoRoomPause);
      auto [ignored] = co_await accept_pause_.async_wait(asio::as_tuple(asio::use_awaitable));
      (void)ignored;
    }
  }

  Queue AcceptOne() {
    Client client;
    Queue queue = Accept(listener_.native_handle(), client);
    if (queue != Queue::kClient) return queue;
    auto counted = networks_.find(client.network);
    if (counted != networks_.end() && counted->second >= limits_.connections_per_peer) return queue;
    if (sessions_.size() >= limits_.connections && !CloseLongestIdle()) return queue;
    auto session = MakeSession(shared_, std::move(client.socket), client.address, tls());
    if (!session) return Queue::kNoRoom;
    ++networks_[client.network];
    sessions_.emplace(session.get(), Entry{session, client.network});
    session->Start();
    return queue;
  }

  /// Also one whose handshake takes its time. False: all are busy.
  bool CloseLongestIdle() {
    Session* longest = nullptr;
    for (const auto& [session, entry] : sessions_) {
      if (session->idle_since() == Clock::time_point::max()) continue;
      if (longest == nullptr || session->idle_since() < longest->idle_since()) longest = session;
    }
    if (longest == nullptr) return false;
    longest->Close();
    Forget(*longest);
    return true;
  }

  void Forget(Session& session) {
    auto found = sessions_.find(&session);
    if (found == sessions_.end()) return;
    auto counted = networks_.find(found->second.network);
    if (--counted->second == 0) networks_.erase(counted);
    sessions_.erase(found);
    if (sessions_.empty()) stop_timer_.cancel();
  }

  void Stop() {
    shared_.stopping = true;
    boost::system::error_code ignored;
    listener_.close(ignored);
    accept_pause_.cancel();
    if (sessions_.empty()) return;
    stop_timer_.expires_after(kStopPatience);
    stop_timer_.async_wait([this](boost::system::error_code error) {
      if (error) return;
      worker_threads_.Stop(Error(ErrorCode::kCancelled, "the server is stopping"));
      for (const auto& [session, entry] : sessions_)
        session->Close();
    });
    for (const auto& [session, entry] : sessions_)
      session->Finish();
  }

  const Routes routes_;
  const Limits limits_;
  std::uint16_t port_ = 0;
  std::mutex tls_mutex_;
  TlsContext tls_;
  std::unordered_map<Session*, Entry> sessions_;
  std::unordered_map<std::string, std::size_t> networks_;  // connections of each
  asio::io_context loop_;
  asio::io_context workers_;
  asio::executor_work_guard<asio::io_context::executor_type> workers_busy_{workers_.get_executor()};
  asio::posix::stream_descriptor listener_{loop_};
  asio::steady_timer accept_pause_{loop_};
  asio::steady_timer stop_timer_{loop_};
  TaskGroup worker_threads_{Cancel::Never()};
  TaskGroup loop_thread_{Cancel::Never()};
  Shared shared_{loop_, workers_, routes_, limits_, worker_threads_.cancel(), {}};
};

}  // namespace

Result<std::unique_ptr<Server>> StartServer(const std::string& address,
                                            const ServerTls& tls,
                                            const Routes& routes,
                                            const Limits& limits) {
  TRY_ASSIGN(TlsContext context, MakeTlsContext(tls));
  TRY_ASSIGN(Listener listener, Listen(address));
  auto server = std::make_unique<SessionServer>(routes, limits, std::move(context));
  TRY(server->Start(std::move(listener)));
  return server;
}

}  // namespace depot::web
