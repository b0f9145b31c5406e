#include "pool/front/front.h"

#include <algorithm>
#include <atomic>
#include <list>
#include <mutex>
#include <set>

#include <poll.h>

#include "driver/base/task_group.h"
#include "driver/base/text.h"
#include "driver/rpc/dial.h"
#include "pool/front/copy.h"
#include "pool/front/pool_word.h"
#include "pool/web/listener.h"

namespace depot::front {
namespace {

constexpr std::chrono::seconds kConnectTimeout(5);
constexpr std::chrono::seconds kHandshake(10);
constexpr std::chrono::seconds kLookAgain(1);
constexpr std::size_t kStrangers = 64;
constexpr std::size_t kConnections = 1024;
constexpr std::size_t kPerBuild = 64;

/// One connection. All but the thread is guarded by the front's mutex.
struct Visit {
  bool admitted = false;
  bool done = false;
  std::string build;  ///< "" = not admitted yet, or the pool itself
  TaskGroup thread{Cancel::Never()};
};

/// Whether the pool has the builder: before that nobody comes in. For one thread.
class NameCheck {
 public:
  explicit NameCheck(const FrontOptions& options) : options_(options) {}

  /// Asks until it has, and says once that it has not, and once that it cannot be asked: not the
  /// first time, as both may just be starting.
  void Look(http::HttpClient& client, const Cancel& cancel) {
    if (known_) return;
    const Word word = AskForBuilder(client, options_.pool_url, options_.builder, cancel);
    known_ = word.kind == Word::Kind::kYes;
    if (cancel.cancelled()) return;
    if (word.kind == Word::Kind::kUnknown) ++unheard_;
    if (known_ && (missed_ || unheard_ > 1)) {
      options_.say(Cat("the pool has builder ", options_.builder, " now"));
    } else if (word.kind == Word::Kind::kUnknown && unheard_ == 2) {
      options_.say(Cat("warning: the pool cannot be asked: ", word.why,
                       "; until it can, every build with a certificate for this builder comes in"));
    } else if (word.kind == Word::Kind::kNo && !std::exchange(missed_, true)) {
      options_.say(Cat("warning: the pool sends no build here: ", word.why,
                       "; --builder has to be the name that `builders` in pool.yaml has"));
    }
  }

 private:
  const FrontOptions& options_;
  bool known_ = false;
  bool missed_ = false;
  int unheard_ = 0;  ///< how often it could not be asked
};

class RunningFront final : public Front {
 public:
  RunningFront(FrontOptions options,
               Certificates certificates,
               Entrance entrance,
               web::Listener listener)
      : options_(std::move(options)),
        http_(http::MakeCurlClient(
            Cat("depot-pool/", options_.version), kConnectTimeout, options_.system_roots)),
        port_(listener.port),
        certificates_(std::move(certificates)),
        listener_(std::move(listener.socket)),
        entrance_(std::make_shared<const Entrance>(std::move(entrance))) {
    threads_.Start("front", [this](const Cancel& stop) { return Listen(stop); });
    threads_.Start("watch", [this](const Cancel& stop) { return Watch(stop); });
  }

  std::uint16_t port() const override { return port_; }

  void Close() override {
    closed_ = true;
    Cut("", "the builder is about to end");
  }

  bool HasBuilds() override { return !Inside().empty(); }

 private:
  Result<> Listen(const Cancel& cancel) {
    Cancel::Clock::time_point look{};
    while (!cancel.cancelled()) {
      if (closed_) {
        listener_.Reset();
      } else if (Cancel::Clock::now() >= look) {
        LookAtBuilder(cancel);
        LookAtCertificates();
        look = Cancel::Clock::now() + options_.look_every;
      }
      if (!listener_.valid()) {
        (void)cancel.SleepFor(kLookAgain);
        look = {};
        continue;
      }
      // Whether somebody came or it was long enough is seen below.
      (void)WaitForFd(listener_.get(), POLLIN, cancel.WithTimeout(kLookAgain, "nobody came"));
      TakeClients();
      Reap();
    }
    return {};
  }

  /// Opens or closes the door as buildkitd does.
  void LookAtBuilder(const Cancel& cancel) {
    auto builder = rpc::DialUnix(options_.socket, cancel.WithTimeout(kConnectTimeout, "no answer"));
    if (!builder && listener_.valid()) {
      listener_.Reset();
      options_.say(Cat("buildkitd is down: ", builder.error().message()));
    } else if (builder && !listener_.valid()) {
      const std::string host = options_.listen.substr(0, options_.listen.rfind(':'));
      auto again = web::Listen(Cat(host, ':', port_));
      if (again) listener_ = std::move(again->socket);
      options_.say(again ? "buildkitd is up" : again.error().message());
    }
  }

  void LookAtCertificates() {
    auto read = options_.read_certificates();
    if (read && *read == certificates_) return refusal_.clear();
    Result<Entrance> entrance = read ? Entrance::Open(*read) : Fail(Error(read.error()));
    if (!entrance) {
      const std::string why = entrance.error().message();
      if (why == std::exchange(refusal_, why)) return;
      return options_.say(Cat("the changed certificates are not used: ", why));
    }
    certificates_ = *std::move(read);
    {
      std::lock_guard lock(mutex_);
      entrance_ = std::make_shared<const Entrance>(*std::move(entrance));
    }
    options_.say("the certificates have changed");
  }

  std::shared_ptr<const Entrance> CurrentEntrance() {
    std::lock_guard lock(mutex_);
    return entrance_;
  }

  void TakeClients() {
    web::Client client;
    while (web::Accept(listener_.get(), client) == web::Queue::kClient) {
      Visit* visit = Enter();
      if (visit == nullptr) continue;
      auto socket = std::make_shared<Fd>(std::move(client.socket));
      visit->thread.Start(
          "visit",
          [this, visit, socket, peer = client.peer.address](const Cancel& stop) -> Result<> {
            Serve(*visit, *socket, peer, stop);
            socket->Reset();
            std::lock_guard lock(mutex_);
            visit->done = true;
            return {};
          });
      std::lock_guard lock(mutex_);
      // The system may have had no thread for it.
      visit->done = visit->done || visit->thread.cancel().cancelled();
    }
  }

  /// A place for one more, or nullptr: there is none.
  Visit* Enter() {
    std::lock_guard lock(mutex_);
    std::size_t strangers = 0;
    Visit* oldest = nullptr;
    for (const auto& other : visits_) {
      if (other->admitted || other->done) continue;
      if (strangers++ == 0) oldest = other.get();
    }
    if (strangers >= kStrangers) {
      oldest->done = true;
      oldest->thread.Stop(Error(ErrorCode::kUnavailable, "others want to come in"));
    }
    if (visits_.size() >= kConnections) return nullptr;
    return visits_.emplace_back(std::make_unique<Visit>()).get();
  }

  /// Joins the threads of connections that are over.
  void Reap() {
    std::list<std::unique_ptr<Visit>> over;
    {
      std::lock_guard lock(mutex_);
      for (auto visit = visits_.begin(); visit != visits_.end();) {
        const auto next = std::next(visit);
        if ((*visit)->done) over.splice(over.end(), visits_, visit);
        visit = next;
      }
    }
  }

  void Serve(Visit& visit, const Fd& socket, const std::string& peer, const Cancel& cancel) {
    const Entrance::Check check = [&](const identity::Pass& pass) {
      return MayEnter(pass, cancel);
    };
    const Cancel in_time = cancel.WithTimeout(kHandshake, "no TLS");
    auto guest = CurrentEntrance()->Admit(socket.get(), check, in_time);
    if (!guest) {
      // Who only looks whether somebody listens says nothing.
      const Error& why = guest.error();
      if (why.code() == ErrorCode::kDenied || why.code() == ErrorCode::kFailed) {
        options_.say(Cat("refused ", peer, ": ", why.message()));
      } else if (why.code() == ErrorCode::kInvalid) {
        options_.say(Cat(peer, " turned away: ", why.message()));
      }
      return;
    }
    const identity::Pass& pass = guest->pass;
    const std::string who = pass.build.empty() ? "the pool" : Cat("build ", pass.build);
    if (!Admit(visit, pass.build))
      return options_.say(Cat(who, closed_ ? " comes too late: the front is about to end"
                                           : " has too many connections"));
    auto builder = rpc::DialUnix(options_.socket, cancel.WithTimeout(kConnectTimeout, "no answer"));
    if (!builder) return options_.say(builder.error().message());
    const std::string project = pass.build.empty() ? "" : Cat(" of project ", pass.project);
    options_.say(Cat(who, project, " comes in from ", peer));
    CopyBothWays(guest->tls.get(), socket.get(), builder->get(), cancel);
    options_.say(Cat(who, " goes", cancel.cancelled() ? Cat(": ", cancel.error().message()) : ""));
  }

  Result<> MayEnter(const identity::Pass& pass, const Cancel& cancel) {
    if (pass.builder != options_.builder) {
      return Fail(ErrorCode::kDenied, Cat("the certificate is for builder ", pass.builder));
    }
    if (!pass.build.empty()) {
      const Word word = AskPool(*http_, options_.pool_url, pass.build, options_.builder, cancel);
      if (word.kind == Word::Kind::kNo) {
        return Fail(ErrorCode::kFailed, Cat("build ", pass.build, ": ", word.why));
      }
      if (word.kind == Word::Kind::kUnknown) {
        options_.say(Cat("build ", pass.build, " may come in, nobody knows better: ", word.why));
      }
    }
    return {};
  }

  /// A stranger no more; false: too many are here of its build, or nobody comes in any more.
  bool Admit(Visit& visit, const std::string& build) {
    std::lock_guard lock(mutex_);
    if (closed_) return false;
    const auto same = std::count_if(visits_.begin(), visits_.end(), [&](const auto& other) {
      return other->admitted && !other->done && other->build == build;
    });
    if (static_cast<std::size_t>(same) >= kPerBuild) return false;
    visit.admitted = true;
    visit.build = build;
    return true;
  }

  Result<> Watch(const Cancel& cancel) {
    bool answers = true;
    name_.Look(*http_, cancel);
    while (cancel.SleepFor(options_.ask_every)) {
      if (Inside().empty()) name_.Look(*http_, cancel);
      for (const std::string& build : Inside()) {
        const Word word = AskPool(*http_, options_.pool_url, build, options_.builder, cancel);
        if (word.kind == Word::Kind::kNo) Cut(build, word.why);
        const bool answered = word.kind != Word::Kind::kUnknown;
        if (cancel.cancelled()) break;
        if (answered != answers) {
          options_.say(answered ? "the pool answers again"
                                : Cat("who is inside stays, nobody knows better: ", word.why));
        }
        answers = answered;
        // The next question would have to wait as long.
        if (!answered) break;
      }
    }
    return {};
  }

  std::set<std::string> Inside() {
    std::lock_guard lock(mutex_);
    std::set<std::string> builds;
    for (const auto& visit : visits_) {
      if (!visit->done && !visit->build.empty()) builds.insert(visit->build);
    }
    return builds;
  }

  void Cut(const std::string& build, const std::string& why) {
    std::lock_guard lock(mutex_);
    for (const auto& visit : visits_) {
      if (visit->build == build) visit->thread.Stop(Error(ErrorCode::kFailed, why));
    }
  }

  const FrontOptions options_;
  const std::unique_ptr<http::HttpClient> http_;
  const std::uint16_t port_;
  Certificates certificates_;  ///< those that are used; of the listening thread
  std::string refusal_;        ///< why changed ones are not, as it was said; of that thread
  NameCheck name_{options_};   ///< of the watching thread
  Fd listener_;                ///< of that thread; none while buildkitd is down, or after Close()
  std::atomic<bool> closed_{false};
  std::mutex mutex_;
  std::shared_ptr<const Entrance> entrance_;  ///< who is inside needs no more than its TLS
  std::list<std::unique_ptr<Visit>> visits_;  ///< in the order they came
  TaskGroup threads_{Cancel::Never()};        // last: ends before the rest goes
};

}  // namespace

Result<std::unique_ptr<Front>> StartFront(FrontOptions options) {
  // Paths are put behind it, and a pool knows none with two slashes.
  while (options.pool_url.ends_with('/'))
    options.pool_url.pop_back();
  TRY_ASSIGN(Certificates certificates, options.read_certificates());
  TRY_ASSIGN(Entrance entrance, Entrance::Open(certificates));
  TRY_ASSIGN(web::Listener listener, web::Listen(options.listen));
  return std::make_unique<RunningFront>(std::move(options), std::move(certificates),
                                        std::move(entrance), std::move(listener));
}

}  // namespace depot::front
