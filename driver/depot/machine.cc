#include "driver/depot/machine.h"

#include <atomic>
#include <functional>
#include <mutex>
#include <vector>

#include "driver/base/backoff.h"
#include "driver/base/one_at_a_time.h"
#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/depot/health.h"
#include "driver/event/step.h"

namespace depot::api {
namespace {

/// What a driver says while it connects becomes output of the step, each line once.
class StepLines final : public EventSink {
 public:
  explicit StepLines(Step& step) : step_(step) {}

  void Emit(Event event) override {
    const Notice* notice = std::get_if<Notice>(&event);
    if (notice == nullptr) return;
    std::lock_guard lock(mutex_);
    if (notice->text != last_) step_.Log(notice->text);
    last_ = notice->text;
  }

 private:
  Step& step_;
  std::mutex mutex_;
  std::string last_;
};

class MachineBuilder final : public builder::Builder {
 public:
  /// Gets another machine of the same kind, after `why`.
  using Replace = std::function<Result<std::unique_ptr<builder::Builder>>(const Error& why,
                                                                          const Cancel& cancel)>;

  MachineBuilder(std::unique_ptr<builder::Builder> machine,
                 std::unique_ptr<HealthReports> health,
                 Replace replace)
      : features_(machine->features()), replace_(std::move(replace)), health_(std::move(health)) {
    machines_.push_back(std::move(machine));
    CloseWhenCancelled();
  }

  rpc::Channel& channel() override { return Newest().channel(); }

  Result<> Reconnect(const Cancel& cancel) override {
    TRY_ASSIGN(const OneAtATime::Turn turn, reconnecting_.Begin(cancel));
    CancelSource stopping(cancel);
    health_->WhenCancelled([&stopping](const Error& why) { stopping.Request(why); });
    Result<> connected = Newest().Reconnect(stopping.cancel());
    const bool gone = !connected && !stopping.cancel().cancelled();
    if (gone) connected = TakeAnother(connected.error(), stopping.cancel());
    CloseWhenCancelled();
    return connected;
  }

  Result<std::unique_ptr<builder::Builder>> Another(const Cancel& cancel) override {
    return Newest().Another(cancel);
  }

  const builder::Features& features() const override { return features_; }
  const std::string& endpoint() const override { return Newest().endpoint(); }

 private:
  builder::Builder& Newest() const {
    std::lock_guard lock(mutex_);
    return *machines_.back();
  }

  Result<> TakeAnother(const Error& why, const Cancel& cancel) {
    TRY_ASSIGN(auto machine, replace_(why, cancel));
    std::lock_guard lock(mutex_);
    machines_.push_back(std::move(machine));
    return {};
  }

  void CloseWhenCancelled() {
    health_->WhenCancelled([this](const Error& why) { channel().Close(why); });
  }

  const builder::Features features_;
  const Replace replace_;
  OneAtATime reconnecting_;
  mutable std::mutex mutex_;
  /// The newest last; somebody may still have a channel of one of the others in hand.
  std::vector<std::unique_ptr<builder::Builder>> machines_;
  std::unique_ptr<HealthReports> health_;  // goes first: it may close the channel
};

/// A machine that has only just been started refuses connections, is slow, or has no name yet.
bool MayComeUp(ErrorCode code) {
  return code == ErrorCode::kUnavailable || code == ErrorCode::kTimeout ||
         code == ErrorCode::kNotFound;
}

/// It restarts, or the way there is cut.
bool IsAway(ErrorCode code) {
  return code == ErrorCode::kUnavailable || code == ErrorCode::kTimeout;
}

class MachineDriver final : public builder::Driver {
 public:
  MachineDriver(std::shared_ptr<BuildRecord> build, StepReports& reports)
      : build_(std::move(build)), reports_(reports) {}

  Result<std::unique_ptr<builder::Builder>> Acquire(const std::optional<Platform>& platform,
                                                    EventSink& sink,
                                                    const Cancel& cancel) override {
    TRY_ASSIGN(const Platform kind, MachinePlatform(platform));
    CancelSource stopping(cancel);
    auto health = std::make_unique<HealthReports>(build_, kind);
    health->WhenCancelled([&stopping](const Error& why) { stopping.Request(why); });
    TRY_ASSIGN(auto machine, LaunchAndConnect(kind, sink, stopping.cancel()));
    auto replace = [this, kind](const Error& why, const Cancel& stop) {
      // The certificate may have lived for minutes alone.
      const bool denied = why.code() == ErrorCode::kDenied;
      build_->sink.Say(
          Cat("the Depot API's ", kind.architecture, " machine ",
              denied ? "does not let us in again: " : "does not come back: ", why.message(),
              "; asking for ", denied ? "a new certificate" : "another one"));
      return LaunchAndConnect(kind, build_->sink, stop);
    };
    return std::make_unique<MachineBuilder>(std::move(machine), std::move(health),
                                            std::move(replace));
  }

 private:
  Result<std::unique_ptr<builder::Builder>> LaunchAndConnect(const Platform& kind,
                                                             EventSink& sink,
                                                             const Cancel& cancel) {
    ReportingSink reporting(sink, reports_);
    TRY_ASSIGN(const Machine machine, Launch(kind, reporting, cancel));
    return Connect(machine, kind, reporting, cancel);
  }

  Result<Machine> Launch(const Platform& kind, EventSink& sink, const Cancel& cancel) {
    Step step(sink, Cat("[depot] launching ", kind.architecture, " machine"));
    return step.Finish(WaitForMachine(kind, step, cancel));
  }

  /// A build that was answered once has a place in the queue, or a machine, and does not lose it
  /// while the API is away: it asks on. So does one that may have it, since nobody answered.
  Result<Machine> WaitForMachine(const Platform& kind, Step& step, const Cancel& cancel) {
    std::string said;
    auto heard = Cancel::Clock::now();
    while (true) {
      auto got = build_->api.GetMachine(build_->created, kind, cancel);
      if (!got) {
        const ErrorCode code = got.error().code();
        const bool away = code == ErrorCode::kTimeout || (answered_ && IsAway(code));
        if (!away || Cancel::Clock::now() >= heard + build_->times.api_away)
          return Fail(WhyRefused(std::move(got).error(), kind, cancel));
        said = Cat(got.error().message(), "; asking again, the place in the queue is kept");
        step.Log(said);
        if (!cancel.SleepFor(build_->times.connect_again)) return Fail(cancel.error());
        continue;
      }
      answered_ = true;
      heard = Cancel::Clock::now();
      auto& answer = *got;
      if (auto* machine = std::get_if<Machine>(&answer)) {
        if (!machine->reason.empty()) step.Log(machine->reason);
        return std::move(*machine);
      }
      const Pending& pending = std::get<Pending>(answer);
      const std::string text = pending.reason.empty()
                                   ? "waiting for the Depot API to hand out a machine"
                                   : pending.reason;
      if (text != said) step.Log(text);
      said = text;
      if (!cancel.SleepFor(pending.wait)) return Fail(cancel.error());
    }
  }

  /// An API that has cancelled the build refuses it a machine too, and says with its health that it
  /// has, and why: the refusal may mean that there is none of this kind.
  Error WhyRefused(Error refusal, const Platform& kind, const Cancel& cancel) {
    if (refusal.code() != ErrorCode::kFailed) return refusal;
    auto order = build_->api.ReportHealth(build_->created, kind, cancel);
    if (!order || !*order || !(*order)->Counts()) return refusal;
    build_->cancelled_by_api = true;
    return CancelledByApi(**order);
  }

  Result<std::unique_ptr<builder::Builder>> Connect(const Machine& machine,
                                                    const Platform& kind,
                                                    EventSink& sink,
                                                    const Cancel& cancel) {
    Step step(sink, Cat("[depot] connecting to ", kind.architecture, " machine"));
    return step.Finish(ReachAny(machine, kind, step, cancel));
  }

  /// Reaches the machine, or one that the API gives in its place.
  Result<std::unique_ptr<builder::Builder>> ReachAny(Machine machine,
                                                     const Platform& kind,
                                                     Step& step,
                                                     const Cancel& cancel) {
    while (true) {
      TRY_ASSIGN(auto builder, Reach(machine, kind, step, cancel));
      if (builder) return builder;
      step.Log("the Depot API has taken this machine back, it is going away");
      TRY_ASSIGN(machine, WaitForMachine(kind, step, cancel));
    }
  }

  /// nullptr: the machine is ours no more, and another one is to be waited for.
  Result<std::unique_ptr<builder::Builder>> Reach(const Machine& machine,
                                                  const Platform& kind,
                                                  Step& step,
                                                  const Cancel& cancel) {
    TRY_ASSIGN(builder::Endpoint endpoint, MachineEndpoint(machine));
    if (!endpoint.tls) step.Log("the connection to this machine is not encrypted");
    const auto patience = build_->times.connecting;
    const Cancel patient = cancel.WithTimeout(patience, "connecting");
    auto driver = builder::MakeRemoteDriver(std::move(endpoint));
    auto stale = Cancel::Clock::now() + build_->times.machine_fresh;
    StepLines lines(step);
    std::string last = "it does not answer";
    const auto first = build_->times.connect_again;
    const Backoff backoff = Backoff{first, 2, 5 * first}.Within(patience);
    for (int failed = 1;; ++failed) {
      auto builder = driver->TryOnce(lines, patient);
      if (builder) return builder;
      TRY(cancel.Check());
      if (!patient.cancelled()) {
        if (builder.error().code() == ErrorCode::kDenied) {
          return Fail(std::move(builder).error().WithHint(
              "the certificates are those that the Depot API hands out: tell whoever runs it"));
        }
        if (!MayComeUp(builder.error().code())) return builder;
        // Nobody listens there any more, or not yet: the API may know more in a moment.
        if (builder.error().code() == ErrorCode::kUnavailable) stale = {};
        last = builder.error().message();
        lines.Say(Cat(last, "; the machine may still be starting, trying again"));
      }
      const auto wait = backoff.WaitAfter(failed);
      if (wait && patient.SleepFor(*wait)) {
        if (Cancel::Clock::now() < stale) continue;
        TRY_ASSIGN(const bool ours, Renew(kind, driver, patient));
        if (!ours) return nullptr;
        stale = Cancel::Clock::now() + build_->times.machine_fresh;
        continue;
      }
      TRY(cancel.Check());
      const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(patience).count();
      return Fail(Error(ErrorCode::kTimeout,
                        Cat("the ", kind.architecture, " machine cannot be reached, tried for ",
                            seconds, " s: ", last))
                      .WithHint("does a firewall let this machine connect to it?"));
    }
  }

  /// A machine's certificate may live for minutes alone, and another machine may have taken its
  /// place; false when there is none for us at the moment. An API that does not answer changes
  /// nothing.
  Result<bool> Renew(const Platform& kind,
                     std::unique_ptr<builder::Driver>& driver,
                     const Cancel& cancel) {
    auto answer = build_->api.GetMachine(build_->created, kind, cancel);
    if (!answer) {
      if (IsAway(answer.error().code())) return true;
      return Fail(WhyRefused(std::move(answer).error(), kind, cancel));
    }
    const auto* machine = std::get_if<Machine>(&*answer);
    if (machine == nullptr) return false;
    TRY_ASSIGN(builder::Endpoint endpoint, MachineEndpoint(*machine));
    driver = builder::MakeRemoteDriver(std::move(endpoint));
    return true;
  }

  const std::shared_ptr<BuildRecord> build_;
  StepReports& reports_;
  std::atomic<bool> answered_{false};  ///< the API has, to this build
};

Error Unusable(std::string_view what) {
  return Error(ErrorCode::kInvalid,
               Cat("the Depot API hands out a machine that cannot be used: ", what));
}

}  // namespace

Result<Platform> MachinePlatform(const std::optional<Platform>& platform) {
  const Platform wanted = platform ? *platform : HostPlatform();
  const std::string& cpu = wanted.architecture;
  if (wanted.os == "linux" && (cpu == "amd64" || cpu == "386")) {
    return Platform{"linux", "amd64", ""};
  }
  if (wanted.os == "linux" && (cpu == "arm64" || cpu == "arm")) {
    return Platform{"linux", "arm64", ""};
  }
  // A machine of either kind will do for whoever does not ask for one.
  if (!platform) return Platform{"linux", "amd64", ""};
  return Fail(Error(ErrorCode::kUnsupported,
                    Cat("the Depot API has no machine for ", FormatPlatform(wanted)))
                  .WithHint("its machines are linux/amd64 and linux/arm64"));
}

Result<builder::Endpoint> MachineEndpoint(const Machine& machine) {
  const std::string shown = RedactUrls(Printable(machine.endpoint.substr(0, 300)));
  Result<builder::Endpoint> endpoint = Fail(ErrorCode::kInvalid, "");
  const bool plain_tcp = machine.endpoint.starts_with("tcp://") &&
                         machine.endpoint.find_first_of("?#@ \t\r\n") == std::string::npos;
  if (plain_tcp) endpoint = builder::ParseEndpoint(machine.endpoint, {}, Cancel::Never());
  if (!endpoint) return Fail(Unusable(Cat("its address \"", shown, "\" is not tcp://HOST:PORT")));

  const bool certificate = !machine.certificate_pem.empty();
  const bool key = !machine.key_pem.empty();
  const bool ca = !machine.ca_pem.empty();
  if (!certificate && !key && !ca) return endpoint;
  if (!certificate || !key || !ca) {
    return Fail(Unusable(Cat("its TLS material has no ", !ca           ? "authority"
                                                         : certificate ? "key"
                                                                       : "certificate")));
  }
  endpoint->tls = true;
  rpc::TlsOptions& tls = endpoint->tls_options;
  tls.server_name = machine.server_name.empty() ? endpoint->host : machine.server_name;
  tls.ca_pem = machine.ca_pem;
  tls.certificate_pem = machine.certificate_pem;
  tls.key_pem = machine.key_pem;
  tls.alpn = "h2";
  if (Result<> usable = rpc::CheckTlsOptions(tls); !usable) {
    return Fail(Unusable(Cat("its TLS material is malformed: ", usable.error().message())));
  }
  return endpoint;
}

std::unique_ptr<builder::Driver> MakeMachineDriver(std::shared_ptr<BuildRecord> build,
                                                   StepReports& reports) {
  return std::make_unique<MachineDriver>(std::move(build), reports);
}

}  // namespace depot::api
