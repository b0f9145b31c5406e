#include "pool/records/shared_slots.h"

#include <set>
#include <utility>

#include "driver/base/steady_time.h"
#include "driver/base/task_group.h"
#include "driver/base/text.h"
#include "pool/records/batches.h"
#include "pool/records/shared_claims.h"
#include "pool/records/slot_book.h"

namespace depot::records {
namespace {

using std::chrono::milliseconds;
using Moment = Slots::Moment;

constexpr milliseconds kTurnPatience(2000);

/// Statements outside of a transaction.
class StoreReader final : public Sql {
 public:
  explicit StoreReader(SqlStore& store) : store_(store) {}

  Result<SqlRows> Run(std::string_view sql, const SqlValues& values) override {
    return store_.Read(sql, values);
  }

 private:
  SqlStore& store_;
};

/// Builders and rules of `known`, with the claims of `copy`.
SlotBook JoinBook(const SlotBook& known, const ClaimsCopy& copy) {
  SlotBook book;
  book.builders = known.builders;
  book.weights = known.weights;
  book.limits = known.limits;
  book.homes = known.homes;
  book.claims = copy.claims;
  book.next_ticket = copy.claims.empty() ? 1 : copy.claims.rbegin()->first + 1;
  book.now = copy.now;
  book.CountUse();
  return book;
}

/// `book_` has the claims of the database, as they were at a version, and the builders that this
/// pool sees; its clock is the database's. Changes of this pool wait for each other, so that only
/// another pool can be in the way; those that have waited go together in one transaction.
class SharedSlots final : public BookSlots {
 public:
  SharedSlots(PostgresStore& store, std::function<void(std::string)> say, SharedPace pace)
      : store_(store), say_(std::move(say)), pace_(pace) {
    thread_.Start("slots", [this](const Cancel& stop) -> Result<> {
      while (stop.SleepFor(pace_.look))
        Look();
      return {};
    });
  }

  ~SharedSlots() override {
    thread_.Stop(Error(ErrorCode::kCancelled, "the pool ends"));
    (void)thread_.Wait();
    // What cannot be written down now is found to be silent.
    (void)WriteReleases();
    (void)signs_.Write(store_);
  }

  // Who loses a builder by this, or gets one, is written down with the next look.
  void Configure(std::vector<BuilderSlots> builders) override {
    std::lock_guard lock(mutex_);
    book_.Configure(std::move(builders));
  }

  void SetUp(const std::string& builder, bool up) override {
    std::lock_guard lock(mutex_);
    auto found = book_.builders.find(builder);
    if (found != book_.builders.end()) found->second.up = up;
  }

  void Begin(const std::string& /*build*/, Moment /*now*/) override {}
  void Restore(const Claim& /*claim*/, Moment /*now*/) override {}

  Answer Ask(const std::string& build,
             const std::string& platform,
             const std::string& project,
             Moment /*now*/) override {
    signs_.Add(build, platform);
    std::optional<Answer> known;
    {
      std::lock_guard lock(mutex_);
      Claim wish;
      wish.platform = platform;
      wish.project = project;
      known = book_.IsServed(wish) ? book_.AskAgain(build, platform) : Answer(NoBuilder{});
    }
    if (!known) {
      Result<> changed =
          Transact([&](SlotBook& book) { known = book.Ask(build, platform, project, book.now); });
      if (!changed && changed.error().code() != ErrorCode::kTimeout) {
        return NoAnswer{std::move(changed).error()};
      }
      // Whoever asks is kept waiting while the database is away: nobody has lost anything by it.
      if (!changed) {
        std::lock_guard lock(mutex_);
        return book_.Stall(build, platform, project);
      }
      // Its ticket is another one there.
      Rename(*known, build, platform);
    }
    if (auto* waiting = std::get_if<Waiting>(&*known)) waiting->claim.since -= Clock();
    return *std::move(known);
  }

  void Alive(const std::string& build, const std::string& platform, Moment /*now*/) override {
    signs_.Add(build, platform);
  }

  void Release(const std::string& build) override {
    {
      std::lock_guard lock(mutex_);
      over_.insert(build);
    }
    WriteReleases();
  }

  Expired Expire(Moment /*now*/) override {
    Expired expired;
    StoreReader reader(store_);
    if (store_.ReachedFor() < pace_.settled) return expired;
    auto silent = FindSilent(reader, pace_.settled);
    // Nobody is silent whose sign is still here.
    if (!silent || silent->empty() || !signs_.Write(store_)) return expired;
    Result<> done = Transact([&](SlotBook& book, Sql& sql) { return Expire(book, sql, expired); });
    if (!done) return {};
    return expired;
  }

  Result<> Refresh() override {
    return batches_.DoBetween(kTurnPatience, [this]() -> Result<> {
      ClaimsCopy copy = Known();
      StoreReader reader(store_);
      TRY(copy.CatchUp(reader));
      Adopt(std::move(copy));
      return {};
    });
  }

  std::vector<Waiting> Queue() const override {
    std::vector<Waiting> queue = BookSlots::Queue();
    for (Waiting& waiting : queue)
      waiting.claim.since -= Clock();
    return queue;
  }

 private:
  ClaimsCopy Known() const {
    std::lock_guard lock(mutex_);
    return {book_.claims, version_, Moment(0)};
  }

  void Adopt(ClaimsCopy copy) {
    std::lock_guard lock(mutex_);
    book_.claims = std::move(copy.claims);
    book_.CountUse();
    version_ = copy.version;
    clock_ = copy.now - SteadyTime();
    book_.now = copy.now;
  }

  /// How far the database's clock is ahead of the steady one here.
  Moment Clock() const {
    std::lock_guard lock(mutex_);
    return clock_;
  }

  void Rename(Answer& answer, const std::string& build, const std::string& platform) const {
    std::lock_guard lock(mutex_);
    auto found = book_.Find(build, platform);
    if (found == book_.claims.end()) return;
    if (auto* granted = std::get_if<Granted>(&answer)) granted->claim.ticket = found->first;
    if (auto* waiting = std::get_if<Waiting>(&answer)) waiting->claim.ticket = found->first;
  }

  using Work = std::function<Result<>(SlotBook&, Sql&)>;

  Result<> Transact(const std::function<void(SlotBook&)>& work) {
    return Transact([&](SlotBook& book, Sql&) -> Result<> {
      work(book);
      return {};
    });
  }

  /// Does `work` on the newest state, under the lock of all pools, and writes it down. When that
  /// fails nothing has happened, here neither.
  Result<> Transact(const Work& work) {
    return batches_.Do(work, kTurnPatience, [this](const auto& batch) { return DoAll(batch); });
  }

  SlotBook BookWith(const ClaimsCopy& copy) const {
    std::lock_guard lock(mutex_);
    return JoinBook(book_, copy);
  }

  Result<> DoAll(const Batches<Work>::Batch& batch) {
    ClaimsCopy copy = Known();
    Result<> changed = store_.Change([&](Sql& sql) -> Result<> {
      TRY(LockClaims(sql));
      TRY(copy.CatchUp(sql));
      SlotBook book = BookWith(copy);
      for (const Work* work : batch)
        TRY((*work)(book, sql));
      return WriteClaims(sql, copy, std::move(book.claims));
    });
    if (!changed) {
      // Whether a commit came through may not be known: all of it is read again.
      std::lock_guard lock(mutex_);
      version_ = 0;
      return changed;
    }
    Adopt(std::move(copy));
    return {};
  }

  Result<> Expire(SlotBook& book, Sql& sql, Expired& expired) const {
    TRY_ASSIGN(Silent silent, FindSilent(sql, pace_.settled));
    expired.builds = silent.builds;
    book.Forget({silent.builds.begin(), silent.builds.end()});
    for (std::int64_t ticket : silent.claims) {
      if (auto claim = book.Take(ticket)) expired.claims.push_back(*std::move(claim));
    }
    for (std::int64_t ticket : silent.ended)
      book.Take(ticket);
    book.Assign();
    return {};
  }

  void Look() {
    Result<> looked = Refresh();
    if (looked) looked = WriteReleases();
    if (looked) looked = Settle();
    if (looked && signs_.Age() >= pace_.signs) looked = signs_.Write(store_);
    if (looked.has_value() == reached_) return;
    reached_ = looked.has_value();
    say_(reached_ ? "the database is there again"
                  : Cat("no builder is given until it is better: ", looked.error().message()));
  }

  /// What changes by itself: a home that did not come free in time, a builder that is down or new.
  Result<> Settle() {
    auto settle = [](SlotBook& book) {
      book.DropUntold();
      book.Assign();
    };
    SlotBook trial;
    SlotBook::Claims before;
    {
      std::lock_guard lock(mutex_);
      trial = book_;
      trial.now = clock_ + SteadyTime();
      before = book_.claims;
    }
    settle(trial);
    if (trial.claims == before) return {};
    return Transact(settle);
  }

  Result<> WriteReleases() {
    std::set<std::string> over;
    {
      std::lock_guard lock(mutex_);
      over = over_;
    }
    if (over.empty()) return {};
    TRY(Transact([&](SlotBook& book) {
      book.Forget(over);
      book.Assign();
    }));
    std::lock_guard lock(mutex_);
    for (const std::string& build : over)
      over_.erase(build);
    return {};
  }

  PostgresStore& store_;
  const std::function<void(std::string)> say_;
  const SharedPace pace_;
  // Guarded by mutex_, as book_ is.
  std::int64_t version_ = 0;
  Moment clock_{0};
  std::set<std::string> over_;  ///< builds that have ended; not written down yet
  SignsOfLife signs_;
  Batches<Work> batches_;
  bool reached_ = true;                // of its thread
  TaskGroup thread_{Cancel::Never()};  // last: joins before the rest goes
};

}  // namespace

std::unique_ptr<Slots> MakeSharedSlots(PostgresStore& store,
                                       std::function<void(std::string)> say,
                                       SharedPace pace) {
  return std::make_unique<SharedSlots>(store, std::move(say), pace);
}

}  // namespace depot::records
