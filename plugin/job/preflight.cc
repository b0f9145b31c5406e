#include "plugin/job/preflight.h"

#include "driver/base/hints.h"
#include "driver/base/text.h"

namespace depot::job {
namespace {

constexpr std::chrono::seconds kPreflightPatience(10);
constexpr std::chrono::seconds kHold(5);
constexpr std::chrono::seconds kSilentHold(1);
constexpr std::chrono::seconds kAbandonPatience(3);
constexpr std::string_view kEscape = "--no-preflight skips this check";

Error Refused(const std::string& name, const Error& why) {
  return Error(why)
      .While(Cat("pushing to ", name, " will not be allowed"))
      .WithHint(JoinHints(why.hint(), kEscape))
      .At(FailedAt::kRegistry);
}

}  // namespace

Preflight::Preflight(registry::Registries& registries, EventSink& sink, const Cancel& cancel)
    : registries_(registries), sink_(sink), build_(cancel), tasks_(cancel) {}

void Preflight::Start(const std::vector<Reference>& targets, const std::vector<Reference>& caches) {
  std::set<std::string> repositories;
  for (const Reference& target : targets) {
    unanswered_.insert(target.domain);  // no thread yet
    repositories.insert(RepositoryOf(target));
  }
  for (const Reference& target : targets)
    StartOne(target, false);
  for (const Reference& cache : caches) {
    if (repositories.insert(RepositoryOf(cache)).second) StartOne(cache, true);
  }
}

void Preflight::StartOne(const Reference& target, bool is_cache) {
  tasks_.Start("preflight", [this, target, is_cache](const Cancel& stop) -> Result<> {
    const auto check = Check(target, stop);
    if (is_cache) {
      SettleCache(target, check);
    } else {
      Settle(target, check);
    }
    if (!check || check->upload.empty()) return {};
    registries_.Open(target, registry::Access::kDelete)
        ->AbandonUpload(check->upload,
                        stop.WithTimeout(kAbandonPatience, "giving the upload back"));
    return {};
  });
}

void Preflight::Await() {
  auto wait = [this](std::chrono::seconds patience) {
    std::unique_lock lock(mutex_);
    (void)build_.cancel()
        .WithTimeout(patience, "waiting for registries")
        .Wait(lock, answered_, [this] { return unanswered_.empty(); });
    return unanswered_;
  };
  std::multiset<std::string> late = wait(kSilentHold);
  if (late.empty() || build_.cancel().cancelled()) return;
  sink_.Say(Cat("waiting for the registry ", *late.begin(), " to say whether it allows the push"));
  (void)wait(kHold - kSilentHold);
}

std::optional<Error> Preflight::refusal() const {
  std::lock_guard lock(mutex_);
  return refusal_;
}

void Preflight::Finish() {
  build_.Request(Error(ErrorCode::kCancelled, "the build has ended"));
}

Result<registry::PushCheck> Preflight::Check(const Reference& target, const Cancel& stop) {
  std::string silence =
      Cat("the registry ", target.domain, " gave no answer in ", kPreflightPatience.count(), " s");
  auto repository = registries_.Open(target, registry::Access::kPush);
  return repository->CheckPush(stop.WithTimeout(kPreflightPatience, std::move(silence)));
}

/// One that could not be asked is no news: writing the cache will say what there is to say.
void Preflight::SettleCache(const Reference& target, const Result<registry::PushCheck>& check) {
  if (!check || !check->refusal || build_.cancel().cancelled()) return;
  sink_.Say(Cat("WARNING: writing the cache to ", RepositoryOf(target),
                " will not be allowed: ", check->refusal->message()));
}

void Preflight::Settle(const Reference& target, const Result<registry::PushCheck>& check) {
  std::string name = RepositoryOf(target);
  bool matters = !build_.cancel().cancelled();
  if (!check && matters) {
    sink_.Say(Cat("WARNING: could not check whether the push to ", name,
                  " will be allowed: ", check.error().message()));
  }
  if (check && check->refusal && matters) {
    Error refusal = Refused(name, *check->refusal);
    {
      std::lock_guard lock(mutex_);
      if (!refusal_) refusal_ = refusal;
    }
    build_.Request(std::move(refusal));
  }
  // Only now: who waits for it must find the refusal.
  std::lock_guard lock(mutex_);
  unanswered_.erase(unanswered_.find(target.domain));
  answered_.notify_all();
}

}  // namespace depot::job
