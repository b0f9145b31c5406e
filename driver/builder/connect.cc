#include "driver/builder/connect.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <vector>

#include "proto/control.pb.h"

#include "driver/base/backoff.h"
#include "driver/base/one_at_a_time.h"
#include "driver/base/task_group.h"
#include "driver/base/text.h"
#include "driver/event/no_sink.h"

namespace depot::builder {
namespace {

namespace control = moby::buildkit::v1;

/// For a connection, and again from the first byte of HTTP/2 to the answer of ListWorkers; a daemon
/// that accepts connections but never answers must not hold a build up for longer.
constexpr std::chrono::seconds kAnswerTimeout(20);

/// Waiting for longer than this is said.
constexpr std::chrono::seconds kQuiet(2);

/// For so long a connection that ends before the answer is made again: a load balancer may drop
/// several by chance, and somebody who expects TLS drops all.
constexpr std::chrono::seconds kDropPatience(5);

constexpr std::string_view kIsItRunning = "is the builder running, and is the address right?";

const Backoff kBetweenDials{std::chrono::milliseconds(250), 2, std::chrono::milliseconds(1000)};

/// Labels: BuildKit worker/label.go; what each Engine mode reports is in buildx
/// driver/docker/driver.go.
Features ReadFeatures(const control::ListWorkersResponse& workers, bool engine) {
  Features features;
  features.engine_store = engine;
  bool snapshotter = false;
  for (const control::WorkerRecord& worker : workers.record()) {
    for (const auto& [key, value] : worker.labels()) {
      if (key == "org.mobyproject.buildkit.worker.snapshotter") snapshotter = true;
      if (key == "org.mobyproject.buildkit.worker.moby.host-gateway-ip") {
        features.host_gateway_ip = value;
      }
    }
    for (const control::WorkerPlatform& platform : worker.platforms()) {
      Platform known{platform.os(), platform.architecture(), platform.variant()};
      auto& platforms = features.platforms;
      if (std::find(platforms.begin(), platforms.end(), known) == platforms.end()) {
        platforms.push_back(known);
      }
    }
  }
  features.all_exporters = !engine || snapshotter;
  return features;
}

/// The daemon's answer, or why there is none: the connection's own reason says more than the
/// call's.
Result<Features> Ask(rpc::Channel& channel, bool engine, const Cancel& cancel) {
  Cancel bounded =
      cancel.WithTimeout(kAnswerTimeout, Cat("no answer within ", kAnswerTimeout.count(), " s"));
  // Control.Info came with BuildKit 0.11, and so did attestations and records. It is asked at the
  // same time, so that a slow link is waited for once.
  auto info = channel.Start("/moby.buildkit.v1.Control/Info", {});
  bool asked = info->Write({}, bounded).has_value();
  info->CloseWrites();
  std::string response;
  rpc::Status status =
      channel.Unary("/moby.buildkit.v1.Control/ListWorkers", {}, "", response, bounded);
  TRY(cancel.Check());
  if (!status.ok()) {
    TRY(channel.Alive());
    if (status.code == rpc::Code::kUnimplemented) {
      return Fail(Error(ErrorCode::kUnsupported, "the server there is not BuildKit")
                      .WithHint("check the address"));
    }
    Error error = rpc::ToError(status);
    // Nobody here has cancelled anything: the word is the server's.
    if (error.code() == ErrorCode::kCancelled) {
      return Fail(ErrorCode::kUnavailable, Cat("the server cancelled the call: ", error.message()));
    }
    return Fail(std::move(error));
  }
  control::ListWorkersResponse workers;
  if (!workers.ParseFromString(response)) {
    return Fail(ErrorCode::kInvalid, "the server's list of workers is malformed");
  }
  if (workers.record().empty()) {
    return Fail(Error(ErrorCode::kFailed, "the builder has no worker")
                    .WithHint("look into the builder's log"));
  }
  Features features = ReadFeatures(workers, engine);
  features.history = asked && info->Finish(bounded).ok();
  features.attestations = features.history && features.all_exporters;
  return features;
}

/// Dials until it works, the failure is final, or the patience is over. Patience is for refusals: a
/// slow answer, of an Engine under load or over a bad link, gets its time.
Result<std::unique_ptr<rpc::ByteStream>> DialPatiently(const Connection& connection,
                                                       EventSink& sink,
                                                       std::atomic<bool>& said,
                                                       const Cancel& cancel) {
  const std::chrono::seconds patience = connection.patience;
  std::chrono::seconds longest = std::max(patience, kAnswerTimeout);
  Cancel bounded = cancel.WithTimeout(longest, Cat("no connection within ", longest.count(), " s"));
  const Backoff backoff = kBetweenDials.Within(patience);
  for (int failed = 1;; ++failed) {
    auto stream = connection.dial(bounded);
    if (stream || stream.error().code() != ErrorCode::kUnavailable) return stream;
    if (patience.count() == 0) return stream;
    if (!said.exchange(true)) {
      sink.Say(Cat("waiting for builder ", connection.endpoint, ": ", stream.error().message(),
                   "; trying again for up to ", patience.count(), " s"));
    }
    auto wait = backoff.WaitAfter(failed);
    if (!wait) {
      Error last = stream.error();
      return Fail(Error(last.code(), Cat(last.message(), " (tried for ", patience.count(), " s)"))
                      .WithHint(last.hint()));
    }
    if (!cancel.SleepFor(*wait)) return Fail(cancel.error());
  }
}

/// The connection was taken and ended before an answer: by chance, or by somebody who expects TLS.
bool WasDropped(const Result<Features>& answer) {
  return !answer && answer.error().code() == ErrorCode::kUnavailable;
}

/// A connection that answers, and what the daemon behind it can do.
struct Reached {
  std::unique_ptr<rpc::Channel> channel;
  Features features;
};

Result<Reached> Reach(const Connection& connection, EventSink& sink, const Cancel& cancel) {
  auto explain = [&](Error error) {
    if (cancel.cancelled()) return Fail(cancel.error());
    return Fail(std::move(error).While(Cat("builder ", connection.endpoint)));
  };
  // A peer that takes the connection, or not even that, and then says nothing is told of too.
  std::atomic<bool> said{false};
  TaskGroup waiting(cancel);
  waiting.Start("waiting", [&](const Cancel& stop) -> Result<> {
    if (stop.SleepFor(kQuiet) && !said.exchange(true)) {
      sink.Say(Cat("waiting for builder ", connection.endpoint, " to answer"));
    }
    return {};
  });
  auto stream = DialPatiently(connection, sink, said, cancel);
  if (!stream) {
    const bool plain = stream.error().hint().empty();
    const bool refused = plain && stream.error().code() == ErrorCode::kUnavailable;
    if (refused) stream = Fail(std::move(stream).error().WithHint(std::string(kIsItRunning)));
    return explain(std::move(stream).error());
  }
  auto channel = rpc::MakeChannel(*std::move(stream), connection.authority);
  auto features = Ask(*channel, connection.engine, cancel);
  const Backoff between = kBetweenDials.Within(std::min(connection.patience, kDropPatience));
  for (int dropped = 1; WasDropped(features); ++dropped) {
    const auto wait = between.WaitAfter(dropped);
    if (!wait || !cancel.SleepFor(*wait)) break;
    auto next = connection.dial(cancel);
    if (!next && next.error().code() != ErrorCode::kUnavailable) break;
    if (!next) continue;
    channel = rpc::MakeChannel(*std::move(next), connection.authority);
    features = Ask(*channel, connection.engine, cancel);
  }
  if (!features) return explain(std::move(features).error());
  features->same_machine = connection.same_machine;
  return Reached{std::move(channel), *std::move(features)};
}

/// What stands in front of a builder that restarts takes connections and closes them at once; the
/// first time that may mean a wrong address, later it is as good as a refusal.
Result<Reached> ReachAgain(const Connection& connection, const Cancel& cancel) {
  NoSink silent;
  const Backoff backoff = kBetweenDials.Within(connection.patience);
  for (int failed = 1;; ++failed) {
    auto reached = Reach(connection, silent, cancel);
    if (reached || reached.error().code() != ErrorCode::kUnavailable) return reached;
    const auto wait = backoff.WaitAfter(failed);
    if (!wait) return reached;
    if (!cancel.SleepFor(*wait)) return Fail(cancel.error());
  }
}

class Lease final : public Builder {
 public:
  Lease(Connection connection, Reached reached)
      : connection_(std::move(connection)), features_(std::move(reached.features)) {
    channels_.push_back(std::move(reached.channel));
  }

  rpc::Channel& channel() override {
    std::lock_guard lock(mutex_);
    return *channels_.back();
  }

  Result<> Reconnect(const Cancel& cancel) override {
    TRY_ASSIGN(const OneAtATime::Turn turn, reconnecting_.Begin(cancel));
    if (channel().Alive()) return {};
    TRY_ASSIGN(Reached reached, ReachAgain(connection_, cancel));
    std::lock_guard lock(mutex_);
    channels_.push_back(std::move(reached.channel));
    return {};
  }

  Result<std::unique_ptr<Builder>> Another(const Cancel& cancel) override {
    NoSink silent;
    TRY_ASSIGN(Reached reached, Reach(connection_, silent, cancel));
    return std::make_unique<Lease>(connection_, std::move(reached));
  }

  rpc::AnnouncedDial session_dial() const override { return connection_.dial_session; }
  const Features& features() const override { return features_; }
  const std::string& endpoint() const override { return connection_.endpoint; }

 private:
  const Connection connection_;
  const Features features_;
  OneAtATime reconnecting_;
  std::mutex mutex_;
  /// The newest last; somebody may still have one of the others in hand.
  std::vector<std::unique_ptr<rpc::Channel>> channels_;
};

}  // namespace

Result<std::unique_ptr<Builder>> Hold(Connection connection,
                                      EventSink& sink,
                                      const Cancel& cancel) {
  TRY_ASSIGN(Reached reached, Reach(connection, sink, cancel));
  return std::make_unique<Lease>(std::move(connection), std::move(reached));
}

}  // namespace depot::builder
