#include "driver/solve/resume.h"

#include <map>
#include <mutex>
#include <utility>

#include "driver/base/random.h"
#include "driver/base/text.h"
#include "driver/event/step.h"
#include "driver/solve/content.h"
#include "driver/solve/lost.h"
#include "driver/solve/solve_error.h"

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

std::string Also(const std::string& first, const std::string& hint) {
  return hint.empty() ? first : Cat(first, "; ", hint);
}

/// Passes events on, and knows which steps have begun and not ended.
class OpenSteps final : public EventSink {
 public:
  explicit OpenSteps(EventSink& sink) : sink_(sink) {}

  void Emit(Event event) override {
    if (const auto* vertex = std::get_if<Vertex>(&event)) Note(*vertex);
    sink_.Emit(std::move(event));
  }

  /// Nobody will say any more how they ended.
  void CancelAll() {
    std::unique_lock lock(mutex_);
    std::map<std::string, Vertex> open = std::exchange(open_, {});
    lock.unlock();
    for (auto& [digest, vertex] : open) {
      vertex.completed = Now();
      vertex.error = "context canceled";
      sink_.Emit(std::move(vertex));
    }
  }

 private:
  static constexpr std::size_t kMost = 10'000;

  void Note(const Vertex& vertex) {
    std::lock_guard lock(mutex_);
    if (!vertex.started || vertex.completed) {
      open_.erase(vertex.digest);
    } else if (open_.size() < kMost) {
      open_.insert_or_assign(vertex.digest, vertex);
    }
  }

  EventSink& sink_;
  std::mutex mutex_;
  std::map<std::string, Vertex> open_;  ///< by digest
};

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
    first_ref_ = request_.ref;
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
      } else if (auto* failed = std::get_if<Failed>(&outcome); failed && failed->may_pass) {
        end = WaitForRegistry(failed->error);
      } else {
        return outcome;
      }
      if (end) return *std::move(end);
      request_.ref = Cat(first_ref_, '-', ++tries_);
    }
  }

 private:
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
      return Lost{Error(lost).WithHint(Also(
                      Cat("it cannot begin again, since ", ready.error().message()), lost.hint())),
                  request_.ref};
    }
    solving_.sink->Say(Cat("connected to ", endpoint,
                           " again: building once more, what was built comes from the cache"));
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
    return BuildResult{std::move((*end)->exporter_response), request_.ref, {}};
  }

  /// A step that failed by itself is not run again; all else may come of the loss.
  std::optional<SolveOutcome> OwnFailure(const rpc::Status& status) {
    if (status.code == rpc::Code::kCancelled) return std::nullopt;
    Error error = SolveError(status, StepNames(*solving_.sink));
    if (error.step_exit() == 0) return std::nullopt;
    return Failed{std::move(error)};
  }

  std::optional<SolveOutcome> WaitForRegistry(const Error& failed) {
    retries_.Lost();
    const std::optional<milliseconds> wait = retries_.Next();
    if (!wait && retries_.used() == 0) return Failed{failed};
    if (!wait) {
      return Failed{Error(failed).WithHint(Also(Tried(), failed.hint()))};
    }
    if (Result<> ready = StartOver(); !ready) {
      return Failed{Error(failed).WithHint(
          Also(Cat("it cannot be pushed again, since ", ready.error().message()), failed.hint()))};
    }
    Say(Cat(failed.message(), "; pushing again in ", ShownWait(*wait)));
    if (!cancel_.SleepFor(*wait)) return Failed{cancel_.error()};
    return std::nullopt;
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
    return Error(lost).WithHint(Also(tried, lost.hint()));
  }

  const Solving& solving_;
  const Cancel& cancel_;
  OpenSteps steps_;
  Retries retries_;
  BuildRequest request_;
  std::string first_ref_;
  int tries_ = 1;
};

}  // namespace

SolveOutcome SolveToEnd(const Solving& solving, const Cancel& cancel) {
  return Resumed(solving, cancel).Run();
}

}  // namespace depot::solve
