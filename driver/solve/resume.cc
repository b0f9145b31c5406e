#include "driver/solve/resume.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "driver/base/hints.h"
#include "driver/base/random.h"
#include "driver/base/text.h"
#include "driver/solve/content.h"
#include "driver/solve/dated_context.h"
#include "driver/solve/lost.h"
#include "driver/solve/open_steps.h"
#include "driver/solve/push_failure.h"
#include "driver/solve/solve_error.h"
#include "driver/solve/standby.h"

namespace depot::solve {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// For the record of a build, from a builder that has just answered.
constexpr seconds kRecordPatience(10);

/// Whether another attempt to connect may end better. What was refused, or was no builder, stays
/// so; a name may be missing while its machine is replaced.
bool ConnectingMayPass(ErrorCode code) {
  return IsLoss(code) || code == ErrorCode::kNotFound;
}

class Resumed {
 public:
  Resumed(const Solving& solving, const Cancel& cancel)
      : solving_(solving),
        cancel_(cancel),
        steps_(*solving.sink),
        retries_(solving.retries),
        request_(*solving.request) {
    request_.ref = solving.ref.empty() ? RandomId() : solving.ref;
    request_.silence = solving.retries.silence;
    if (request_.session.empty()) request_.session = RandomId();
    first_ref_ = request_.ref;
    if (WantsStandby()) StandBy();
  }

  SolveOutcome Run() {
    for (;;) {
      rpc::Channel& used = solving_.builder->channel();
      SolveOutcome outcome =
          Solve(*solving_.builder, request_, *solving_.services, *solving_.faults, steps_, cancel_);
      std::optional<SolveOutcome> end;
      if (auto* lost = std::get_if<Lost>(&outcome); lost != nullptr && !cancel_.cancelled()) {
        // It may be silent, which does not end it by itself.
        used.Close(lost->error);
        if (retries_.most() > 0) steps_.CancelAll();
        end = Recover(lost->error);
      } else if (auto* failed = std::get_if<Failed>(&outcome);
                 failed && failed->passing != Passing::kNo) {
        end = TryAgain(*failed);
      } else {
        return outcome;
      }
      if (end) return *std::move(end);
      PrepareNext();
    }
  }

 private:
  /// Not in an Engine, whose connection does not get lost; a call runs no step.
  bool WantsStandby() const {
    return solving_.standby != nullptr && retries_.most() > 0 && request_.call.empty() &&
           !solving_.builder->features().engine_store;
  }

  void StandBy() {
    standby_.emplace(StandbyFacts{*solving_.builder, *solving_.standby, *solving_.faults, steps_,
                                  solving_.locals},
                     cancel_);
    standby_->Begin(request_);
    request_.on_result = [this, then = std::move(request_.on_result)](
                             const std::string& result, const Cancel& cancel) -> Result<> {
      standby_->Expect(OperationsOf(result).value_or(""));
      return then ? then(result, cancel) : Result<>();
    };
  }

  /// The next try joins the steps that the second connection holds, and its local sources.
  void PrepareNext() {
    request_.ref = Cat(first_ref_, '-', ++tries_);
    request_.session = RandomId();
    request_.local_sessions.clear();
    if (!standby_) return;
    const std::optional<std::string> held = standby_->Holds();
    if (!held) return standby_->Begin(request_);
    for (const std::string& name : solving_.locals)
      request_.local_sessions[name] = *held;
  }

  /// How it ends; nullopt: solve once more.
  std::optional<SolveOutcome> Recover(const Error& lost) {
    retries_.Lost();
    Error why = lost;
    for (;;) {
      const std::optional<milliseconds> wait = retries_.Next();
      if (!wait) return Lost{GivenUp(lost, why), request_.ref};
      Say(Cat(why.message(), "; connecting again in ", ShownWait(*wait)));
      if (!cancel_.SleepFor(*wait)) return Failed{cancel_.error()};
      Result<> connected = solving_.builder->Reconnect(cancel_);
      if (cancel_.cancelled()) return Failed{cancel_.error()};
      if (connected) return GoOn(lost);
      why = std::move(connected).error();
      // A builder that was taken from us: nobody else knows more.
      if (why.code() == ErrorCode::kFailed) return Failed{why};
      if (!ConnectingMayPass(why.code())) return Lost{GivenUp(lost, why), request_.ref};
    }
  }

  std::optional<SolveOutcome> GoOn(const Error& lost) {
    const std::string& endpoint = solving_.builder->endpoint();
    if (std::optional<SolveOutcome> end = Recorded()) {
      solving_.sink->Say(Cat("connected to ", endpoint, " again: the build had ended there"));
      return end;
    }
    if (Result<> ready = StartOver(); !ready) {
      return Lost{Error(lost).WithHint(JoinHints(
                      Cat("it cannot begin again, since ", ready.error().message()), lost.hint())),
                  request_.ref};
    }
    const bool held = standby_ && standby_->Holds();
    solving_.sink->Say(Cat("connected to ", endpoint,
                           " again: building once more, what was built comes from the cache",
                           held ? ", and the running steps have gone on" : ""));
    return std::nullopt;
  }

  /// How the solve that was lost has ended on the builder; nullopt: it has not, or because it was
  /// lost, or nobody knows.
  std::optional<SolveOutcome> Recorded() {
    const bool recorded =
        solving_.builder->features().history && !request_.internal && request_.call.empty();
    if (!recorded) return std::nullopt;
    auto end = ReadRecordedEnd(*solving_.builder, request_.ref,
                               cancel_.WithTimeout(kRecordPatience, "the build's record"));
    if (!end || !*end) return std::nullopt;
    if (!(*end)->status.ok()) return OwnFailure((*end)->status);
    if (solving_.delivered && !solving_.delivered()) return std::nullopt;
    if (!MadeImages((*end)->exporter_response)) return std::nullopt;
    return BuildResult{std::move((*end)->exporter_response), request_.ref, {}};
  }

  /// A builder that is too busy to keep the error of a build that it cancelled has a record without
  /// one: what a push or an image needs to be believed is its digest.
  bool MadeImages(const std::map<std::string, std::string>& response) const {
    const auto& exporters = request_.exporters;
    const bool images = std::any_of(exporters.begin(), exporters.end(), [](const Exporter& one) {
      return one.type != "local" && one.type != "tar";
    });
    return !images || response.contains("containerimage.digest");
  }

  /// A step that failed by itself is not run again; all else may come of the loss.
  std::optional<SolveOutcome> OwnFailure(const rpc::Status& status) {
    if (status.code == rpc::Code::kCancelled) return std::nullopt;
    Error error = SolveError(status, StepNames(*solving_.sink));
    if (error.step_exit() == 0) return std::nullopt;
    return Failed{std::move(error)};
  }

  std::optional<SolveOutcome> TryAgain(const Failed& failed) {
    const Error& error = failed.error;
    // A layer that is gone once more was not taken by another export: what the cache knows of it is
    // wrong. That costs one more build, however much was lost before.
    const bool damaged = failed.passing == Passing::kLayer &&
                         std::exchange(layer_was_gone_, true) &&
                         !std::exchange(without_cache_, true);
    retries_.Lost();
    const std::optional<milliseconds> wait =
        damaged ? std::optional(milliseconds(0)) : retries_.Next();
    if (!wait && retries_.used() == 0) return Failed{error};
    if (!wait) {
      return Failed{Error(error).WithHint(JoinHints(Tried(), error.hint()))};
    }
    if (Result<> ready = StartOver(); !ready) {
      return Failed{Error(error).WithHint(JoinHints(
          Cat("it cannot be delivered again, since ", ready.error().message()), error.hint()))};
    }
    if (damaged) {
      request_.frontend_attrs["no-cache"] = "";
      solving_.sink->Say(Cat("WARNING: ", error.message(),
                             "; the builder's cache is damaged: building again without it"));
      return std::nullopt;
    }
    // The step says why each time, and the build's own error in the end.
    const bool told = std::exchange(told_, failed.passing) == failed.passing;
    const Work work = WorkOf(failed.passing);
    Say(Cat(told ? Cat("the ", work.name, " failed again") : error.message(), "; ", work.doing,
            " again in ", ShownWait(*wait)));
    if (!cancel_.SleepFor(*wait)) return Failed{cancel_.error()};
    return std::nullopt;
  }

  /// "push", "pushing"
  struct Work {
    std::string_view name;
    std::string_view doing;
  };

  Work WorkOf(Passing passing) const {
    if (passing == Passing::kSnapshot) return {"build", "building"};
    return PushesSomething(request_) ? Work{"push", "pushing"} : Work{"export", "exporting"};
  }

  Result<> StartOver() {
    if (!solving_.start_over) return {};
    return solving_.start_over(Cat(first_ref_, '-', tries_ + 1));
  }

  void Say(const std::string& what) {
    solving_.sink->Say(
        Cat("WARNING: ", what, " (try ", retries_.used(), " of ", retries_.most(), ')'));
  }

  std::string Tried() const {
    return Cat("tried again ", retries_.used(), retries_.used() == 1 ? " time" : " times");
  }

  Error GivenUp(const Error& lost, const Error& why) const {
    if (retries_.used() == 0) return lost;
    std::string tried = Tried();
    if (why.message() != lost.message()) tried += Cat(", at last: ", why.message());
    return Error(lost).WithHint(JoinHints(tried, lost.hint()));
  }

  const Solving& solving_;
  const Cancel& cancel_;
  OpenSteps steps_;
  Retries retries_;
  BuildRequest request_;
  std::string first_ref_;
  int tries_ = 1;
  Passing told_ = Passing::kNo;  ///< of the failures, the kind that was told last
  bool layer_was_gone_ = false;
  bool without_cache_ = false;      // since the builder's is damaged
  std::optional<Standby> standby_;  // goes first: it reads the rest
};

}  // namespace

SolveOutcome SolveToEnd(const Solving& solving, const Cancel& cancel) {
  return Resumed(solving, cancel).Run();
}

}  // namespace depot::solve
