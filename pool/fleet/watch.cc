#include "pool/fleet/watch.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/builder/driver.h"
#include "driver/builder/workers.h"
#include "driver/rpc/dial.h"

namespace depot::fleet {
namespace {

constexpr std::chrono::seconds kAnswer(10);
constexpr std::chrono::seconds kConnect(3);
constexpr std::chrono::seconds kSoonest(1);
constexpr std::chrono::seconds kLatest(10);
constexpr std::chrono::milliseconds kAliveEvery(250);
constexpr int kFailuresToBeDown = 2;
constexpr std::size_t kLongestWorkerId = 64;
constexpr std::size_t kLongestWhy = 300;

/// What a connection has to say is in its error.
class UnheardSink final : public EventSink {
 public:
  void Emit(Event) override {}
};

std::int64_t SecondsNow() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::seconds>(now).count();
}

struct Held {
  std::unique_ptr<builder::Builder> builder;
  Sighting sighting;
};

Result<Held> Hold(const builder::Endpoint& endpoint, const Cancel& cancel) {
  UnheardSink sink;
  const Cancel bounded = cancel.WithTimeout(kAnswer, "the builder does not answer");
  Held held;
  TRY_ASSIGN(held.builder, builder::MakeRemoteDriver(endpoint)->TryOnce(sink, bounded));
  TRY_ASSIGN(const builder::WorkerFacts facts, builder::AskWorkers(*held.builder, bounded));
  if (!facts.platforms.empty()) held.sighting.platform = facts.platforms.front();
  held.sighting.worker = facts.ids.front();
  held.sighting.health = Health::kUp;
  if (IsWorkerId(held.sighting.worker)) return held;
  return Fail(ErrorCode::kInvalid, "the builder's worker has an ID that cannot be a name");
}

}  // namespace

std::string HealthName(Health health) {
  switch (health) {
    case Health::kUp:
      return "up";
    case Health::kDraining:
      return "draining";
    case Health::kDown:
      return "down";
    case Health::kUnknown:
      break;
  }
  return "not reached yet";
}

bool IsWorkerId(std::string_view id) {
  return !id.empty() && id.size() <= kLongestWorkerId &&
         std::all_of(id.begin(), id.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  std::string_view("._-:").find(c) != std::string_view::npos;
         });
}

Watch::Watch(Way way, bool port_is_enough) : way_(std::move(way)), port_is_enough_(port_is_enough) {
  thread_.Start("watch", [this](const Cancel& stop) { return Run(stop); });
}

Sighting Watch::Now() const {
  std::lock_guard lock(mutex_);
  return now_;
}

void Watch::Set(Sighting sighting) {
  std::lock_guard lock(mutex_);
  sighting.since = sighting.health == now_.health ? now_.since : SecondsNow();
  now_ = std::move(sighting);
}

Result<> Watch::Run(const Cancel& cancel) {
  std::chrono::seconds wait = kSoonest;
  do {
    Look(cancel);
    wait = failures_ == 0 ? kSoonest : std::min(2 * wait, kLatest);
  } while (cancel.SleepFor(wait));
  return {};
}

/// One connection, as long as it lives.
void Watch::Look(const Cancel& cancel) {
  auto endpoint = way_();
  if (!endpoint) return SayDown(endpoint.error());
  auto held = Hold(*endpoint, cancel);
  if (cancel.cancelled()) return;
  if (!held) {
    const Cancel bounded = cancel.WithTimeout(kConnect, "no connection");
    if (!port_is_enough_) return SayDown(held.error());
    if (auto socket = rpc::DialTcp(endpoint->host, endpoint->port, bounded); !socket) {
      return SayDown(socket.error());
    }
    failures_ = 0;
    Set({Health::kUp, "", {}, ""});
    (void)cancel.SleepFor(kLatest - kSoonest);
    return;
  }
  failures_ = 0;
  Set(held->sighting);
  rpc::Channel& channel = held->builder->channel();
  while (channel.Alive() && !channel.Dismissed()) {
    if (!cancel.SleepFor(kAliveEvery)) return;
  }
  Sighting last = held->sighting;
  last.health = channel.Dismissed() ? Health::kDraining : Health::kDown;
  const Result<> alive = channel.Alive();
  if (!alive) last.why = Printable(alive.error().message().substr(0, kLongestWhy));
  // A builder of the list may only have been restarted: the next look says.
  if (last.health == Health::kDraining || !port_is_enough_) Set(std::move(last));
}

void Watch::SayDown(const Error& why) {
  if (failures_++ == 0) failing_ = SecondsNow();
  std::lock_guard lock(mutex_);
  // Its builds may still run.
  if (now_.health == Health::kDraining) return;
  if (port_is_enough_ && failures_ < kFailuresToBeDown) return;
  if (std::exchange(now_.health, Health::kDown) != Health::kDown) now_.since = failing_;
  now_.why = Printable(why.message().substr(0, kLongestWhy));
}

}  // namespace depot::fleet
