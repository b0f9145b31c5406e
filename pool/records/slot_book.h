#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "pool/records/slots.h"
#include "pool/records/turns.h"

namespace depot::records {

/// How long a build may be silent that has not asked for a builder yet: its client may wait for a
/// person.
constexpr std::chrono::minutes kUnasked(10);

/// A claim for as long as its build gives signs of life: first it waits, then it has a slot.
struct Lease {
  Claim claim;
  bool told = false;  ///< its build knows the builder it has
  Slots::Moment last_sign{};

  friend bool operator==(const Lease&, const Lease&) = default;
};

/// When a build was last heard of.
struct Life {
  bool asked = false;
  Slots::Moment last_sign{};
};

/// Who has what and who waits, as a value: the state of all Slots, and what each call does to it.
/// No locks, no I/O.
struct SlotBook {
  using Claims = std::map<std::int64_t, Lease>;  // by ticket

  std::map<std::string, BuilderUse> builders;
  std::map<std::string, int> weights;  // by project
  std::map<std::string, int> limits;   // by project
  HomeRules homes;
  std::map<std::string, Life> builds;
  Claims claims;
  std::int64_t next_ticket = 1;
  Slots::Moment now{0};  ///< the latest that was heard of
  Slots::Moment due{0};  ///< since the last Assign() nothing has changed, or will by itself before

  void Configure(std::vector<BuilderSlots> wanted);

  /// Gives a builder or a place, as Slots::Ask(); never NoAnswer.
  Answer Ask(const std::string& build,
             const std::string& platform,
             const std::string& project,
             Slots::Moment moment);

  /// The same without any change, when that is possible: for one who waits still, or has a builder,
  /// was told it, and may go on with it.
  std::optional<Answer> AskAgain(const std::string& build, const std::string& platform) const;

  /// What one is told who cannot be given anything at the moment: it waits, in the place that it
  /// has or would have.
  Waiting Stall(const std::string& build,
                const std::string& platform,
                const std::string& project) const;

  Claims::iterator Find(const std::string& build, const std::string& platform);
  Claims::const_iterator Find(const std::string& build, const std::string& platform) const;

  /// Whether there is a builder for such a claim, or may come one.
  bool IsServed(const Claim& wish) const;

  /// The claim's builder, or nullptr when it has none, or it is gone.
  const BuilderUse* BuilderOf(const Claim& claim) const;

  /// Whether the claim's builder is still there, and still for its project. One that was found by a
  /// source may not have been found again yet, as after a restart.
  bool MayKeep(const Claim& claim) const;

  /// Takes the builder away; the claim waits again.
  void Drop(Lease& lease);

  /// Does so where the builder is down and nobody was told that it had it.
  void DropUntold();

  /// Takes everything from these builds.
  void Forget(const std::set<std::string>& gone);

  /// Takes one claim away; nullopt when there is none of this ticket.
  std::optional<Claim> Take(std::int64_t ticket);

  /// How many claims each builder has.
  void CountUse();

  /// Gives free slots to those who are next. Not needed again before `due`, unless something but
  /// the time changes.
  void Assign();

  int PositionOf(const Claim& claim) const;
  Waiting WaitAt(const Claim& claim, int position) const;

  // What Slots says of itself.
  bool Holds(const std::string& build, const std::string& builder) const;
  int InUse(const std::string& builder) const;
  std::vector<Waiting> Queue() const;
  std::map<std::string, PlatformLoad> Load() const;
  std::map<std::string, std::vector<std::string>> Homes(
      const std::vector<std::string>& projects) const;
  std::map<std::string, bool> Up() const;

 private:
  std::int64_t Turn(const Claim& wish) const;
  std::optional<int> Room(const Claim& claim) const;
  bool HasFree() const;
  Slots::Moment NextDue() const;
  Lack LackOf(const Claim& claim) const;
};

/// The part of Slots that only reads a SlotBook, or sets what it goes by.
class BookSlots : public Slots {
 public:
  void SetWeights(std::map<std::string, int> weights) override;
  void SetLimits(std::map<std::string, int> limits) override;
  void SetHomes(const HomeRules& rules) override;
  bool Holds(const std::string& build, const std::string& builder) const override;
  int InUse(const std::string& builder) const override;
  std::vector<Waiting> Queue() const override;
  std::map<std::string, PlatformLoad> Load() const override;
  std::map<std::string, std::vector<std::string>> Homes(
      const std::vector<std::string>& projects) const override;
  std::map<std::string, bool> Up() const override;

 protected:
  mutable std::mutex mutex_;
  SlotBook book_;  ///< guarded by mutex_
};

}  // namespace depot::records
