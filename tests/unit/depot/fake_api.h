#pragma once

#include <chrono>
#include <csignal>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "driver/base/text.h"
#include "driver/depot/login_api.h"
#include "driver/depot/make_api.h"
#include "driver/event/sink.h"
#include "tests/unit/http/test_server.h"

namespace depot::test {

using Clock = Cancel::Clock;
using std::chrono::milliseconds;

/// The unary answer of the Connect protocol.
inline void Answer(Connection& connection, std::string_view message) {
  connection.Reply(200, message, "Content-Type: application/proto\r\n");
}

inline void Refuse(Connection& connection,
                   int status,
                   std::string_view code,
                   std::string_view message,
                   std::string_view headers = "") {
  connection.Reply(status, Cat(R"({"code":")", code, R"(","message":")", message, R"("})"),
                   Cat("Content-Type: application/json\r\n", headers));
}

inline std::string Frame(char flags, std::string_view payload) {
  std::string out(1, flags);
  for (int shift = 24; shift >= 0; shift -= 8)
    out.push_back(static_cast<char>(payload.size() >> shift & 0xff));
  return out.append(payload);
}

inline void AnswerStream(Connection& connection, std::string_view frames) {
  connection.Reply(200, frames, "Content-Type: application/connect+proto\r\n");
}

/// A real HTTP server of the Connect protocol: one handler per method. A method without one answers
/// with an empty message.
class FakeApi {
 public:
  using Handler = std::function<void(Connection&, const SeenRequest&)>;

  struct Seen {
    std::string method;
    SeenRequest request;
    Clock::time_point at;
  };

  void On(const std::string& method, Handler handler) {
    std::lock_guard lock(mutex_);
    handlers_[method] = std::move(handler);
  }

  /// Requests so far, of one method or of all.
  std::vector<Seen> seen(std::string_view method = "") const {
    std::lock_guard lock(mutex_);
    std::vector<Seen> out;
    for (const Seen& one : seen_) {
      if (method.empty() || one.method == method) out.push_back(one);
    }
    return out;
  }

  /// Waits, but not for ever, until there were `count` requests of `method`.
  bool WaitFor(std::string_view method, std::size_t count) const {
    const Clock::time_point end = Clock::now() + std::chrono::seconds(30);
    while (seen(method).size() < count) {
      if (Clock::now() > end) return false;
      Cancel::Never().SleepFor(milliseconds(5));
    }
    return true;
  }

  std::string Url() const { return server_.Url(""); }

 private:
  void Serve(Connection& connection, SeenRequest& request) {
    const std::string method = request.target.substr(request.target.rfind('/') + 1);
    Handler handler;
    {
      std::lock_guard lock(mutex_);
      seen_.push_back({method, request, Clock::now()});
      handler = handlers_[method];
    }
    if (handler) {
      handler(connection, request);
    } else if (request.headers["content-type"] == "application/proto") {
      Answer(connection, "");
    } else {
      AnswerStream(connection, Frame(0, "") + Frame(2, "{}"));
    }
  }

  mutable std::mutex mutex_;
  std::map<std::string, Handler> handlers_;
  std::vector<Seen> seen_;
  TestServer server_{
      TestServer::Always([this](Connection& c, SeenRequest& request) { Serve(c, request); })};
};

/// Keeps what is said.
class Lines {
 public:
  void Add(std::string line) {
    std::lock_guard lock(mutex_);
    lines_.push_back(std::move(line));
  }
  std::vector<std::string> all() const {
    std::lock_guard lock(mutex_);
    return lines_;
  }
  std::string text() const { return Join(all(), "\n"); }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> lines_;
};

/// Durations with which nobody has to wait for a test.
inline api::Times ShortTimes() {
  api::Times times;
  times.attempt = milliseconds(10'000);
  times.first_wait = milliseconds(10);
  times.health_every = milliseconds(20);
  times.health_silence = milliseconds(100);
  times.report_every = milliseconds(20);
  times.connect_again = milliseconds(20);
  return times;
}

/// A FakeApi, and the clients that ask it.
class WithFakeApi {
 public:
  explicit WithFakeApi(const api::Times& times = ShortTimes()) {
    ::signal(SIGPIPE, SIG_IGN);
    Connect(times, server_.Url());
  }

  void Connect(const api::Times& times, const std::string& url) {
    auto say = [this](std::string line) { said_.Add(line); };
    auto made = api::MakeApi(*client_, url, say, times);
    api_ = made ? *std::move(made) : nullptr;
    auto logins = api::MakeLoginApi(*client_, url, say, times);
    logins_ = logins ? *std::move(logins) : nullptr;
  }

  FakeApi server_;
  Lines said_;
  std::unique_ptr<http::HttpClient> client_ =
      http::MakeCurlClient("docker-depot/test", std::chrono::seconds(5), FindSystemRoots("", ""));
  std::unique_ptr<api::Api> api_;
  std::unique_ptr<api::LoginApi> logins_;
};

/// Keeps all events.
class KeepingSink final : public EventSink {
 public:
  void Emit(Event event) override {
    std::lock_guard lock(mutex_);
    events_.push_back(std::move(event));
  }
  template <typename T>
  std::vector<T> Of() const {
    std::lock_guard lock(mutex_);
    std::vector<T> out;
    for (const Event& event : events_) {
      if (const T* one = std::get_if<T>(&event)) out.push_back(*one);
    }
    return out;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<Event> events_;
};

}  // namespace depot::test
