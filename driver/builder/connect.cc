#include "driver/builder/connect.h"

#include <algorithm>
#include <atomic>

#include "proto/control.pb.h"

#include "driver/base/task_group.h"
#include "driver/base/text.h"
#include "driver/event/step.h"

namespace depot::builder {
namespace {

namespace control = moby::buildkit::v1;

/// For a connection, and again from the first byte of HTTP/2 to the answer of ListWorkers; a daemon
/// that accepts connections but never answers must not hold a build up for longer.
constexpr std::chrono::seconds kAnswerTimeout(20);

/// Waiting for longer than this is said.
constexpr std::chrono::seconds kQuiet(2);

class HeldBuilder final : public Builder {
 public:
  HeldBuilder(std::string endpoint, std::unique_ptr<rpc::Channel> channel, Features features)
      : endpoint_(std::move(endpoint)),
        channel_(std::move(channel)),
        features_(std::move(features)) {}

  rpc::Channel& channel() override { return *channel_; }
  const Features& features() const override { return features_; }
  const std::string& endpoint() const override { return endpoint_; }

 private:
  std::string endpoint_;
  std::unique_ptr<rpc::Channel> channel_;
  Features features_;
};

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
  // Control.Info came with BuildKit 0.11, and so did attestations. It is asked at the same time, so
  // that a slow link is waited for once.
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
    return Fail(Error(ErrorCode::kUnavailable, "the builder has no worker")
                    .WithHint("look into the builder's log"));
  }
  Features features = ReadFeatures(workers, engine);
  features.attestations = asked && features.all_exporters && info->Finish(bounded).ok();
  return features;
}

/// Dials until it works, the failure is final, or `patience` is over. Patience is for refusals: a
/// slow answer, of an Engine under load or over a bad link, gets its time.
Result<std::unique_ptr<rpc::ByteStream>> DialPatiently(const Connection& connection,
                                                       std::chrono::seconds patience,
                                                       EventSink& sink,
                                                       std::atomic<bool>& said,
                                                       const Cancel& cancel) {
  std::chrono::seconds longest = std::max(patience, kAnswerTimeout);
  Cancel bounded = cancel.WithTimeout(longest, Cat("no connection within ", longest.count(), " s"));
  Cancel patient = cancel.WithTimeout(patience, "patience");
  while (true) {
    auto stream = connection.dial(bounded);
    if (stream || stream.error().code() != ErrorCode::kUnavailable) return stream;
    if (!said.exchange(true)) {
      sink.Say(Cat("waiting for builder ", connection.endpoint, ": ", stream.error().message(),
                   "; trying again for up to ", patience.count(), " s"));
    }
    if (!patient.SleepFor(std::chrono::milliseconds(500))) {
      TRY(cancel.Check());
      Error last = stream.error();
      return Fail(Error(last.code(), Cat(last.message(), " (tried for ", patience.count(), " s)"))
                      .WithHint("is the builder running, and is the address right?"));
    }
  }
}

}  // namespace

Result<std::unique_ptr<Builder>> Hold(const Connection& connection,
                                      std::chrono::seconds patience,
                                      EventSink& sink,
                                      const Cancel& cancel) {
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
  auto stream = DialPatiently(connection, patience, sink, said, cancel);
  if (!stream) return explain(std::move(stream).error());
  auto channel = rpc::MakeChannel(*std::move(stream), connection.authority);
  auto features = Ask(*channel, connection.engine, cancel);
  if (!features) return explain(std::move(features).error());
  return std::make_unique<HeldBuilder>(connection.endpoint, std::move(channel),
                                       *std::move(features));
}

}  // namespace depot::builder
