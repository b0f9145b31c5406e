#include "pool/records/slots.h"

#include <algorithm>
#include <utility>

#include "pool/records/slot_book.h"

namespace depot::records {
namespace {

using std::chrono::milliseconds;

class FairSlots final : public BookSlots {
 public:
  explicit FairSlots(ClaimKeeper keeper) : keeper_(std::move(keeper)) {}

  void Configure(std::vector<BuilderSlots> builders) override {
    std::lock_guard lock(mutex_);
    book_.Configure(std::move(builders));
    book_.Assign();
  }

  void SetUp(const std::string& builder, bool up) override {
    std::lock_guard lock(mutex_);
    auto found = book_.builders.find(builder);
    if (found == book_.builders.end() || found->second.up == up) return;
    found->second.up = up;
    book_.DropUntold();
    book_.Assign();
  }

  void Begin(const std::string& build, Moment now) override {
    std::lock_guard lock(mutex_);
    book_.builds[build].last_sign = now;
  }

  void Restore(const Claim& claim, Moment now) override {
    std::lock_guard lock(mutex_);
    book_.due = Moment(0);
    book_.builds[claim.build] = Life{true, now};
    book_.next_ticket = std::max(book_.next_ticket, claim.ticket + 1);
    auto [place, added] =
        book_.claims.emplace(claim.ticket, Lease{claim, !claim.builder.empty(), now});
    place->second.claim.since = now;
    auto builder = book_.builders.find(place->second.claim.builder);
    if (added && builder != book_.builders.end()) ++builder->second.in_use;
  }

  Answer Ask(const std::string& build,
             const std::string& platform,
             const std::string& project,
             Moment now) override {
    Answer answer = [&] {
      std::lock_guard lock(mutex_);
      if (auto same = AskAgain(build, platform, project, now)) return *std::move(same);
      return book_.Ask(build, platform, project, now);
    }();
    if (const auto* waiting = std::get_if<Waiting>(&answer)) {
      if (waiting->first && keeper_.store) keeper_.store(waiting->claim);
    }
    if (const auto* granted = std::get_if<Granted>(&answer)) {
      if (granted->first && keeper_.store) keeper_.store(granted->claim);
    }
    return answer;
  }

  void Alive(const std::string& build, const std::string& platform, Moment now) override {
    std::lock_guard lock(mutex_);
    Sign(build, platform, now);
  }

  void Release(const std::string& build) override {
    std::lock_guard lock(mutex_);
    book_.Forget({build});
    book_.Assign();
  }

  Expired Expire(Moment now) override {
    Expired expired = FindExpired(now);
    for (const Claim& claim : expired.claims) {
      if (keeper_.remove) keeper_.remove(claim);
    }
    return expired;
  }

  Result<> Refresh() override { return {}; }

 private:
  void Sign(const std::string& build, const std::string& platform, Moment now) {
    auto life = book_.builds.find(build);
    if (life != book_.builds.end()) life->second.last_sign = now;
    auto found = book_.Find(build, platform);
    if (found != book_.claims.end()) found->second.last_sign = now;
  }

  /// What most who wait are told, without looking at all others.
  std::optional<Answer> AskAgain(const std::string& build,
                                 const std::string& platform,
                                 const std::string& project,
                                 Moment now) {
    Claim wish;
    wish.platform = platform;
    wish.project = project;
    if (now >= book_.due || !book_.IsServed(wish)) return std::nullopt;
    auto answer = book_.AskAgain(build, platform);
    if (!answer) return std::nullopt;
    book_.now = now;
    Sign(build, platform, now);
    return answer;
  }

  Expired FindExpired(Moment now) {
    std::lock_guard lock(mutex_);
    book_.now = now;
    Expired expired;
    for (const auto& [build, life] : book_.builds) {
      milliseconds patience = life.asked ? milliseconds(kSilence) : milliseconds(kUnasked);
      if (now - life.last_sign > patience) expired.builds.push_back(build);
    }
    book_.Forget({expired.builds.begin(), expired.builds.end()});
    for (auto entry = book_.claims.begin(); entry != book_.claims.end();) {
      if (now - entry->second.last_sign <= kSilence) {
        ++entry;
        continue;
      }
      expired.claims.push_back(entry->second.claim);
      book_.Drop(entry->second);
      entry = book_.claims.erase(entry);
    }
    book_.Assign();
    return expired;
  }

  ClaimKeeper keeper_;
};

}  // namespace

std::unique_ptr<Slots> MakeSlots(ClaimKeeper keeper) {
  return std::make_unique<FairSlots>(std::move(keeper));
}

}  // namespace depot::records
