#include "pool/web/server.h"

#include <algorithm>
#include <map>
#include <mutex>
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

#include "driver/base/task_group.h"
#include "pool/web/client_connection.h"
#include "pool/web/listener.h"
#include "pool/web/transport.h"

namespace depot::web {
namespace {

namespace asio = boost::asio;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kStopPatience{5};
constexpr std::chrono::milliseconds kNoRoomPause{100};
constexpr int kAcceptsInARow = 32;

class BeastServer final : public Server {
 public:
  BeastServer(const Routes& routes, const Limits& limits, TlsContext tls)
      : routes_(routes), limits_(limits), tls_(std::move(tls)) {
    shared_.known = [this](ClientConnection& connection) { Acquaint(connection); };
    shared_.ended = [this](ClientConnection& connection) { Forget(connection); };
  }

  ~BeastServer() override {
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
  /// The connections of one client, by their number: those that nobody known has used yet apart.
  struct Crowd {
    std::map<std::uint64_t, ClientConnection*> strangers;
    std::map<std::uint64_t, ClientConnection*> known;
  };

  struct Entry {
    std::shared_ptr<ClientConnection> connection;
    std::string network;
    std::uint64_t number = 0;  // later ones have larger ones
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
      (void)MakeRoom();
      accept_pause_.expires_after(kNoRoomPause);
      auto [ignored] = co_await accept_pause_.async_wait(asio::as_tuple(asio::use_awaitable));
      (void)ignored;
    }
  }

  Queue AcceptOne() {
    Client client;
    Queue queue = Accept(listener_.native_handle(), client);
    if (queue != Queue::kClient) return queue;
    std::string network = client.peer.network;
    auto mine = crowds_.find(network);
    if (mine != crowds_.end() && Count(mine->second) >= limits_.connections_per_peer &&
        !limits_.proxies.contains(client.peer.address)) {
      TurnedAway("connections of peer");
      if (!CloseOneOf(mine->second)) return queue;
    }
    if (connections_.size() >= limits_.connections) {
      TurnedAway("connections");
      if (!MakeRoom()) return queue;
    }
    auto connection = MakeClientConnection(shared_, std::move(client), tls());
    if (!connection) return Queue::kNoRoom;
    std::uint64_t number = next_number_++;
    crowds_[network].strangers.emplace(number, connection.get());
    connections_.emplace(connection.get(), Entry{connection, network, number});
    connection->Start();
    return queue;
  }

  static std::size_t Count(const Crowd& crowd) {
    return crowd.strangers.size() + crowd.known.size();
  }

  void TurnedAway(std::string_view what) {
    if (routes_.turned_away) routes_.turned_away(what);
  }

  /// Closes the connection that is missed least: the oldest that nobody known has used, of the
  /// client that has most of these; without any the known one that was idle longest. False: all are
  /// busy.
  bool MakeRoom() {
    const Crowd* largest = nullptr;
    for (const auto& [network, crowd] : crowds_) {
      if (crowd.strangers.empty()) continue;
      if (largest == nullptr || crowd.strangers.size() > largest->strangers.size() ||
          (crowd.strangers.size() == largest->strangers.size() &&
           crowd.strangers.begin()->first < largest->strangers.begin()->first)) {
        largest = &crowd;
      }
    }
    if (largest != nullptr) return CloseOneOf(*largest);
    ClientConnection* longest = nullptr;
    for (const auto& [network, crowd] : crowds_)
      longest = LongerIdle(longest, LongestIdle(crowd));
    return CloseNow(longest);
  }

  /// The same among the connections of one client.
  bool CloseOneOf(const Crowd& crowd) {
    return CloseNow(crowd.strangers.empty() ? LongestIdle(crowd) : crowd.strangers.begin()->second);
  }

  static ClientConnection* LongestIdle(const Crowd& crowd) {
    ClientConnection* longest = nullptr;
    for (const auto& [number, connection] : crowd.known) {
      if (connection->idle_since() == Clock::time_point::max()) continue;
      longest = LongerIdle(longest, connection);
    }
    return longest;
  }

  /// Either may be null.
  static ClientConnection* LongerIdle(ClientConnection* one, ClientConnection* other) {
    if (one == nullptr || other == nullptr) return one == nullptr ? other : one;
    return other->idle_since() < one->idle_since() ? other : one;
  }

  bool CloseNow(ClientConnection* connection) {
    if (connection == nullptr) return false;
    connection->Close();
    Forget(*connection);
    return true;
  }

  void Acquaint(ClientConnection& connection) {
    auto found = connections_.find(&connection);
    if (found == connections_.end()) return;
    Crowd& crowd = crowds_[found->second.network];
    crowd.known.insert(crowd.strangers.extract(found->second.number));
  }

  void Forget(ClientConnection& connection) {
    auto found = connections_.find(&connection);
    if (found == connections_.end()) return;
    auto crowd = crowds_.find(found->second.network);
    crowd->second.strangers.erase(found->second.number);
    crowd->second.known.erase(found->second.number);
    if (Count(crowd->second) == 0) crowds_.erase(crowd);
    connections_.erase(found);
    if (connections_.empty()) stop_timer_.cancel();
  }

  void Stop() {
    shared_.stopping = true;
    boost::system::error_code ignored;
    listener_.close(ignored);
    accept_pause_.cancel();
    if (connections_.empty()) return;
    stop_timer_.expires_after(kStopPatience);
    stop_timer_.async_wait([this](boost::system::error_code error) {
      if (error) return;
      worker_threads_.Stop(Error(ErrorCode::kCancelled, "the server is stopping"));
      for (const auto& [connection, entry] : connections_)
        connection->Close();
    });
    for (const auto& [connection, entry] : connections_)
      connection->Finish();
  }

  const Routes routes_;
  const Limits limits_;
  std::uint16_t port_ = 0;
  std::mutex tls_mutex_;
  TlsContext tls_;
  std::unordered_map<ClientConnection*, Entry> connections_;
  std::unordered_map<std::string, Crowd> crowds_;  // by network; those with connections
  std::uint64_t next_number_ = 0;
  asio::io_context loop_;
  asio::io_context workers_;
  asio::executor_work_guard<asio::io_context::executor_type> workers_busy_{workers_.get_executor()};
  asio::posix::stream_descriptor listener_{loop_};
  asio::steady_timer accept_pause_{loop_};
  asio::steady_timer stop_timer_{loop_};
  TaskGroup worker_threads_{Cancel::Never()};
  TaskGroup loop_thread_{Cancel::Never()};
  Shared shared_{loop_, workers_, routes_, limits_, worker_threads_.cancel(), {}, {}};
};

}  // namespace

Result<std::unique_ptr<Server>> StartServer(const std::string& address,
                                            const ServerTls& tls,
                                            const Routes& routes,
                                            const Limits& limits) {
  TRY_ASSIGN(TlsContext context, MakeTlsContext(tls));
  TRY_ASSIGN(Listener listener, Listen(address));
  Limits fitting = limits;
  fitting.connections = std::min(limits.connections, RoomForConnections());
  auto server = std::make_unique<BeastServer>(routes, fitting, std::move(context));
  TRY(server->Start(std::move(listener)));
  return server;
}

}  // namespace depot::web
