#include "driver/solve/solve.h"

#include <atomic>

#include "proto/control.pb.h"

#include "driver/base/random.h"
#include "driver/base/task_group.h"
#include "driver/base/text.h"
#include "driver/event/patience.h"
#include "driver/session/session.h"
#include "driver/solve/frontend_call.h"
#include "driver/solve/gateway.h"
#include "driver/solve/lost.h"
#include "driver/solve/push_failure.h"
#include "driver/solve/solve_error.h"
#include "driver/solve/wire.h"

// A solve in gateway mode (moby/buildkit client/build.go): Control.Solve carries exporters and
// waits while LLBBridge calls on the same connection run the frontend and hand its result back.
// Four things run side by side: the session, Control.Solve, the gateway calls, and the status
// stream, which outlives the solve by a little so that the end of the story is still told.

namespace depot::solve {
namespace {

namespace control = moby::buildkit::v1;
using std::chrono::milliseconds;
using std::chrono::seconds;

/// How long the builder may still tell what happened, after success or failure...
constexpr seconds kStatusDrain(5);
/// ...and after a cancel, which must be over within 3 s even when the builder is frozen.
constexpr milliseconds kCancelDrain(1500);
/// What BuildKit's own client takes at most as an answer.
constexpr std::size_t kMaxAnswer = 16 << 20;
/// After an error of our own the builder usually fails too, and shows the step...
constexpr seconds kFaultPatience(2);
/// A daemon that refuses a solve at once knows of no build, and lets the gateway calls and the
/// status wait for one for seconds; before they are cut they may say what they know.
constexpr milliseconds kLastWords(500);
/// After a failed gateway call the daemon ends Control.Solve by itself, with the better error.
constexpr seconds kSolveAfterGateway(5);

/// The daemon has judged the request alone: no build has begun, and nobody else knows more.
bool IsRefusal(const rpc::Status& status) {
  return status.told && (status.message.find("granting entitlement ") != std::string::npos ||
                         status.message.find("unknown entitlement ") != std::string::npos);
}

/// `exporting`: the frontend had ended well.
Passing PassingOf(const rpc::Status& status, const BuildRequest& request, bool exporting) {
  if (SnapshotWasLeft(status)) return Passing::kSnapshot;
  if (exporting && LayerWasTaken(status)) return Passing::kLayer;
  if (exporting && PushMayPass(status, request)) return Passing::kPush;
  return Passing::kNo;
}

class Solver {
 public:
  Solver(builder::Builder& builder,
         const BuildRequest& request,
         const rpc::ServiceTable& services,
         session::Faults& faults,
         EventSink& sink,
         const Cancel& cancel)
      : channel_(builder.channel()),
        session_dial_(builder.session_dial()),
        endpoint_(builder.endpoint()),
        request_(request),
        services_(services),
        faults_(faults),
        names_(sink),
        sink_(names_),
        cancel_(cancel),
        stop_(cancel),
        gateway_stop_(stop_.cancel()),
        ref_(request.ref.empty() ? RandomId() : request.ref),
        gateway_(channel_, ref_, request_, sink_, gateway_stop_.cancel()) {}

  SolveOutcome Run() {
    session::SessionIdentity identity{request_.session.empty() ? RandomId() : request_.session,
                                      request_.shared_key, request_.silence, request_.may_pack};
    channel_.Outlast(request_.silence);
    auto session = session::OpenSession(channel_, identity, services_, session_dial_);
    // Everything is sent at once, without waiting for answers in between: on a slow link each wait
    // would cost a round trip. The daemon itself waits for the session and for the build's job.
    TaskGroup status_task(Cancel::Never());
    CancelSource session_stop(stop_.cancel());
    TaskGroup tasks(Cancel::Never());
    tasks.Start("session",
                [&](const Cancel&) { return ServeSession(*session, session_stop.cancel()); });
    tasks.Start("solve", [&](const Cancel&) { return ControlSolve(identity.id); });
    if (Result<> started = tasks.cancel().Check(); !started) {
      stop_.Request(started.error());
      return Failed{std::move(started).error()};
    }
    tasks.Start("faults", [this](const Cancel&) { return WatchFaults(); });
    Patience patience(sink_, {Cat("the builder ", endpoint_, " to begin")}, cancel_);
    patience_ = &patience;
    if (request_.watched) {
      status_task.Start("status", [this](const Cancel& c) { return FollowStatus(c); });
    } else {
      EndStatus();
    }
    RunGateway();
    // The solve has ended once this returns; only then the session may.
    WaitForSolve();
    if (request_.linger && solve_status_->ok()) request_.linger(stop_.cancel());
    session_stop.Request(Error(ErrorCode::kCancelled, "the build has ended"));
    (void)tasks.Wait();
    patience.Rest();
    DrainStatus(status_task);
    return Outcome();
  }

 private:
  Result<> ServeSession(session::Session& session, const Cancel& cancel) {
    Result<> served = session.Serve(cancel);
    if (served || cancel.cancelled()) return {};
    if (session_dial_) {
      // What the daemon says from now on, on the other connection, comes of this: "EOF", for one.
      std::lock_guard lock(mutex_);
      if (!solve_status_) lost_ = served.error();
    }
    // When the daemon is shutting the build down, its own error is on the way and says more.
    cancel.SleepFor(seconds(2));
    if (cancel.cancelled()) return {};
    lost_ = served.error();
    stop_.Request(served.error());
    return {};
  }

  Result<> ControlSolve(const std::string& session_id) {
    rpc::Status status = channel_.Unary("/moby.buildkit.v1.Control/Solve", {},
                                        EncodeControlSolve(request_, ref_, session_id),
                                        solve_response_, stop_.cancel());
    std::unique_lock lock(mutex_);
    solve_status_ = std::move(status);
    solve_ended_.notify_all();
    if (solve_status_->ok()) return {};
    refused_ = IsRefusal(*solve_status_);
    Cancel soon = stop_.cancel().WithTimeout(kLastWords, "end of the gateway calls");
    if (!refused_ && soon.Wait(lock, solve_ended_, [this] { return gateway_ended_; })) return {};
    gateway_cut_ = true;
    lock.unlock();
    gateway_stop_.Request(Error(ErrorCode::kCancelled, "the solve has ended"));
    return {};
  }

  /// The outcome is known once something failed here; the builder may never say so (a sender whose
  /// receiver has gone waits for ever in some of its versions).
  Result<> WatchFaults() {
    std::unique_lock lock(mutex_);
    auto ended = [this] { return solve_status_.has_value(); };
    if (faults_.cancel().Wait(lock, solve_ended_, ended)) return {};
    Cancel bounded = Cancel::Never().WithTimeout(kFaultPatience, "the builder's word");
    if (bounded.Wait(lock, solve_ended_, ended)) return {};
    lock.unlock();
    stop_.Request(faults_.cancel().error());
    return {};
  }

  /// Runs the frontend and hands its result to Control.Solve, unless that has failed already.
  void RunGateway() {
    gateway_status_ = gateway_.RunFrontend(result_);
    exporting_ = gateway_status_.ok();
    const rpc::Status returned = gateway_.Return(gateway_status_, result_);
    if (gateway_status_.ok() && !returned.ok()) gateway_status_ = returned;
  }

  void WaitForSolve() {
    std::unique_lock lock(mutex_);
    gateway_ended_ = true;
    solve_ended_.notify_all();
    auto ended = [this] { return solve_status_.has_value(); };
    if (!gateway_status_.ok()) {
      Cancel bounded = Cancel::Never().WithTimeout(kSolveAfterGateway, "end of the solve");
      if (!bounded.Wait(lock, solve_ended_, ended)) {
        lock.unlock();
        stop_.Request(Error(ErrorCode::kFailed, "the frontend failed"));
        lock.lock();
      }
    }
    Cancel::Never().Wait(lock, solve_ended_, ended);
  }

  /// Its failure is never the build's.
  Result<> FollowStatus(const Cancel& cancel) {
    ReadStatus(cancel);
    EndStatus();
    return {};
  }

  void EndStatus() {
    status_ended_.Request(Error(ErrorCode::kCancelled, "the status stream has ended"));
  }

  /// Reads progress until the daemon has nothing more to tell.
  void ReadStatus(const Cancel& cancel) {
    control::StatusRequest request;
    request.set_ref(ref_);
    auto call = channel_.Start("/moby.buildkit.v1.Control/Status", {});
    if (!call->Write({rpc::Bytes(request.SerializeAsString())}, cancel)) return;
    call->CloseWrites();
    while (true) {
      auto message = call->Read(cancel);
      if (!message || !*message) return;
      last_status_ = Cancel::Clock::now().time_since_epoch().count();
      patience_->Rest();
      if (!EmitStatus(**message, sink_)) return;
    }
  }

  void DrainStatus(TaskGroup& status_task) {
    Cancel ended = status_ended_.cancel();
    auto begin = Cancel::Clock::now();
    bool never_begun = last_status_ == 0 && !solve_status_->ok();
    const milliseconds patience = refused_ && never_begun ? milliseconds(0) : kCancelDrain;
    last_status_ = begin.time_since_epoch().count();
    while (ended.SleepFor(milliseconds(50))) {
      auto now = Cancel::Clock::now();
      if ((never_begun || stop_.cancel().cancelled()) && now - begin > patience) break;
      if (now.time_since_epoch() - Cancel::Clock::duration(last_status_) > kStatusDrain) break;
    }
    status_task.Stop(Error(ErrorCode::kCancelled, "the build has ended"));
    (void)status_task.Wait();
  }

  SolveOutcome Outcome() {
    SolveOutcome said = BuildersWord();
    std::optional<Error> fault = faults_.first();
    if (!fault || cancel_.cancelled()) return said;
    const Failed* failed = std::get_if<Failed>(&said);
    if (failed == nullptr) return Failed{*fault};
    return Failed{
        Error(*fault).WithExcerpt(failed->error.excerpt()).WithPlace(failed->error.place())};
  }

  SolveOutcome BuildersWord() {
    if (solve_status_->ok() && gateway_status_.ok()) {
      control::SolveResponse response;
      if (solve_response_.size() > kMaxAnswer || !response.ParseFromString(solve_response_)) {
        return Failed{Error(ErrorCode::kInvalid, "the builder's result is malformed")};
      }
      BuildResult result;
      result.ref = ref_;
      result.exporter_response.insert(response.exporter_response().begin(),
                                      response.exporter_response().end());
      if (request_.call.empty()) return result;
      auto answer = AnswerOf(result_);
      if (!answer) return Failed{std::move(answer).error()};
      result.answer = *std::move(answer);
      return result;
    }
    if (cancel_.cancelled()) return Failed{cancel_.error()};
    bool gateway_says_more = !gateway_cut_ && !gateway_status_.ok() &&
                             (solve_status_->ok() || solve_status_->details.empty());
    return Explain(gateway_says_more ? gateway_status_ : *solve_status_);
  }

  /// A dead connection or a silent builder explains every call that ended without a word of the
  /// builder's own.
  SolveOutcome Explain(const rpc::Status& status) {
    std::optional<Error> why = lost_ ? lost_ : WhyLost(status, channel_);
    if (why && IsLoss(why->code())) {
      const auto after = std::chrono::floor<seconds>(Cancel::Clock::now() - begin_);
      return Lost{LostError(*why, {endpoint_, after, exporting_}, request_), ref_};
    }
    if (lost_) return Failed{Error(*lost_).While(Cat("builder ", endpoint_))};
    // Refused, or closed on purpose by somebody here, who had a reason.
    if (Result<> alive = channel_.Alive(); !alive && !status.told) return Failed{alive.error()};
    return Failed{SolveError(status, names_), PassingOf(status, request_, exporting_)};
  }

  rpc::Channel& channel_;
  const rpc::AnnouncedDial session_dial_;
  const std::string endpoint_;
  const BuildRequest& request_;
  const rpc::ServiceTable& services_;
  session::Faults& faults_;
  StepNames names_;
  EventSink& sink_;       // names_, which passes everything on
  const Cancel& cancel_;  // the user's
  CancelSource stop_;     // ends the calls: the user's cancel, a lost session, an error of our own
  CancelSource gateway_stop_;
  const std::string ref_;
  Gateway gateway_;
  const Cancel::Clock::time_point begin_ = Cancel::Clock::now();

  std::mutex mutex_;
  std::condition_variable_any solve_ended_;  // or the gateway calls
  std::optional<rpc::Status> solve_status_;  // these three guarded by mutex_ until all has ended
  bool gateway_ended_ = false;
  bool gateway_cut_ = false;
  bool refused_ = false;  // read when all has ended
  std::string solve_response_;
  rpc::Status gateway_status_;
  std::string result_;         // the frontend's
  bool exporting_ = false;     // the frontend has ended well, so that exporters may run
  std::optional<Error> lost_;  // why the session ended too early; read when it has ended
  std::atomic<Cancel::Clock::rep> last_status_{0};
  Patience* patience_ = nullptr;  // until the first status
  CancelSource status_ended_;
};

}  // namespace

SolveOutcome Solve(builder::Builder& builder,
                   const BuildRequest& request,
                   const rpc::ServiceTable& services,
                   session::Faults& faults,
                   EventSink& sink,
                   const Cancel& cancel) {
  return Solver(builder, request, services, faults, sink, cancel).Run();
}

}  // namespace depot::solve
