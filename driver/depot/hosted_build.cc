#include "driver/depot/hosted_build.h"

#include <condition_variable>
#include <mutex>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/depot/machine.h"
#include "driver/depot/open_hosted_build.h"

namespace depot::api {
namespace {

using std::chrono::milliseconds;

/// What the API keeps of a build's error.
constexpr std::size_t kMaxErrorText = 4096;

/// Depot's own registry, where saved builds lie (depot/cli pkg/build/build.go).
constexpr std::string_view kRegistry = "registry.depot.dev";

class ApiBuild final : public HostedBuild {
 public:
  ApiBuild(std::shared_ptr<BuildRecord> build, bool ours)
      : build_(std::move(build)),
        ours_(ours),
        steps_(build_),
        driver_(MakeMachineDriver(build_, steps_)),
        watch_(build_->cancel) {
    watch_.Start("depot-cancel", [this](const Cancel& stop) { return TellOfCancel(stop); });
  }
  ApiBuild(const ApiBuild&) = delete;
  ApiBuild& operator=(const ApiBuild&) = delete;

  ~ApiBuild() override { (void)Tell(Outcome::kCanceled, "", build_->times.finish_cancelled); }

  const CreatedBuild& created() const override { return build_->created; }
  builder::Driver& driver() override { return *driver_; }

  Result<> Finish(const Error* failure) override {
    if (!build_->cancel.cancelled()) steps_.Finish(build_->cancel);
    Outcome outcome = Outcome::kSuccess;
    std::string text;
    if (failure != nullptr) {
      const bool cancelled =
          failure->code() == ErrorCode::kCancelled || build_->cancelled_by_api.load();
      outcome = cancelled ? Outcome::kCanceled : Outcome::kError;
      text = RedactUrls(Printable(failure->message().substr(0, kMaxErrorText)));
    }
    const bool hurry = build_->cancel.cancelled();
    return Tell(outcome, text, hurry ? build_->times.finish_cancelled : build_->times.finish);
  }

 private:
  /// Tells the API once; whoever comes second waits, which is bounded, and gets the same result.
  Result<> Tell(Outcome outcome, const std::string& text, milliseconds patience) {
    if (!ours_) return {};
    {
      std::unique_lock lock(mutex_);
      if (telling_) {
        told_changed_.wait(lock, [this] { return told_.has_value(); });
        return *told_;
      }
      telling_ = true;
    }
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(patience).count();
    Result<> told = build_->api.FinishBuild(
        build_->created, outcome, text,
        sending_.cancel().WithTimeout(patience, Cat("the Depot API was not told within ", seconds,
                                                    " s how the build ended")));
    {
      std::lock_guard lock(mutex_);
      told_ = told;
    }
    told_changed_.notify_all();
    return told;
  }

  /// The process ends soon after a cancel: nothing else has to come to its end before this.
  Result<> TellOfCancel(const Cancel& stop) {
    while (stop.SleepFor(std::chrono::hours(1))) {
    }
    if (!build_->cancel.cancelled()) return {};
    const milliseconds patience = build_->times.finish_cancelled;
    {
      std::unique_lock lock(mutex_);
      if (telling_) {
        // Begun when there was more time than there is now.
        if (!told_changed_.wait_for(lock, patience, [this] { return told_.has_value(); })) {
          lock.unlock();
          sending_.Request(build_->cancel.error());
        }
        return {};
      }
    }
    (void)Tell(Outcome::kCanceled, "", patience);
    return {};
  }

  const std::shared_ptr<BuildRecord> build_;
  const bool ours_;
  CancelSource sending_;
  std::mutex mutex_;
  std::condition_variable_any told_changed_;
  bool telling_ = false;
  std::optional<Result<>> told_;
  StepReports steps_;
  std::unique_ptr<builder::Driver> driver_;
  TaskGroup watch_;  // last: joins before the rest goes
};

/// The official client knows these by itself, since GetBuild does not tell. The token is only made
/// ready for Depot's registry when the build is to be saved there.
void AddSavePlaces(const BuildDescription& description, CreatedBuild& build) {
  if (!description.save) return;
  const std::string repository = Cat(kRegistry, '/', build.project);
  build.credentials.push_back({std::string(kRegistry), "x-token", build.token});
  build.tags.push_back({Cat(repository, ':', build.id), true});
  for (const std::string& tag : description.save_tags)
    build.tags.push_back({Cat(repository, ':', tag), true});
}

}  // namespace

std::unique_ptr<HostedBuild> OpenHostedBuild(std::shared_ptr<BuildRecord> build, bool ours) {
  return std::make_unique<ApiBuild>(std::move(build), ours);
}

Result<std::unique_ptr<HostedBuild>> StartHostedBuild(Api& api,
                                                      const Token& token,
                                                      const BuildDescription& description,
                                                      const std::string& existing_build,
                                                      EventSink& sink,
                                                      const Cancel& cancel) {
  CreatedBuild created;
  if (existing_build.empty()) {
    TRY_ASSIGN(created, api.CreateBuild(token, description, cancel));
  } else {
    TRY_ASSIGN(created, api.FindBuild(token, existing_build, cancel));
  }
  if (created.project.empty()) created.project = description.project;
  if (!existing_build.empty()) AddSavePlaces(description, created);
  return OpenHostedBuild(
      std::shared_ptr<BuildRecord>(new BuildRecord{api, std::move(created), sink, cancel, Times()}),
      existing_build.empty());
}

}  // namespace depot::api
