#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "driver/base/result.h"
#include "pool/records/claim.h"

namespace depot::records {

/// Who has which builder, and who is next: projects take turns, and within one the order is that of
/// asking (turns.h). Knows no clock: `now` is the time since any fixed moment and never goes back.
/// Does I/O in several pools alone (shared_slots.h). Safe to use from several threads.
class Slots {
 public:
  using Moment = std::chrono::milliseconds;

  virtual ~Slots() = default;

  /// These builders from now on. Builds keep what they have, also of a builder that is gone or no
  /// longer for their project, until they ask again: then they wait for another one in the place
  /// they had.
  virtual void Configure(std::vector<BuilderSlots> builders) = 0;

  /// How many turns a project has for one of the others; 1 where nothing is said. Those who wait
  /// keep their places.
  virtual void SetWeights(std::map<std::string, int> weights) = 0;

  /// How many slots of a platform a project may have at once; where nothing is said, all. Who has
  /// more keeps them.
  virtual void SetLimits(std::map<std::string, int> limits) = 0;

  /// At first homes do not count.
  virtual void SetHomes(const HomeRules& rules) = 0;

  /// A builder that is down, or is about to be, is not given away. Who has it keeps it until it
  /// asks again, which is to say that it cannot be reached: then it waits for another one in the
  /// place it had. Who was never told waits at once.
  virtual void SetUp(const std::string& builder, bool up) = 0;

  /// A build exists from now on; its silence is counted. Until it asks for the first time it may
  /// be silent for ten minutes (its client may be waiting for a person or another program).
  virtual void Begin(const std::string& build, Moment now) = 0;

  /// A claim from before a restart; its silence is counted from now.
  virtual void Restore(const Claim& claim, Moment now) = 0;

  /// Gives a builder, or a place in the queue. Asking again is harmless.
  virtual Answer Ask(const std::string& build,
                     const std::string& platform,
                     const std::string& project,
                     Moment now) = 0;

  /// The build reports that it is alive.
  virtual void Alive(const std::string& build, const std::string& platform, Moment now) = 0;

  /// The build is over: its slots go to the next ones.
  virtual void Release(const std::string& build) = 0;

  /// Takes away what belongs to builds that were silent for kSilence.
  virtual Expired Expire(Moment now) = 0;

  /// Learns what other pools have given away; what is read below may else be 250 ms old.
  virtual Result<> Refresh() = 0;

  /// Whether the build was given this builder, or one that begins with this name and a slash, and
  /// may still be on it.
  virtual bool Holds(const std::string& build, const std::string& builder) const = 0;

  /// How many have a slot of this builder.
  virtual int InUse(const std::string& builder) const = 0;

  /// Who waits, platform by platform, first the first.
  virtual std::vector<Waiting> Queue() const = 0;

  /// By platform.
  virtual std::map<std::string, PlatformLoad> Load() const = 0;

  /// By builder: which of `projects` are at home on it, in their order. Each builder that is a
  /// home.
  virtual std::map<std::string, std::vector<std::string>> Homes(
      const std::vector<std::string>& projects) const = 0;

  /// By name: whether it is up. Without those that are not there yet.
  virtual std::map<std::string, bool> Up() const = 0;
};

/// Keeps claims for the time after a restart: stores each when it joins the queue, and when its
/// build is told its builder; removes what is taken away from a build that goes on. Any thread.
struct ClaimKeeper {
  std::function<void(const Claim&)> store;
  std::function<void(const Claim&)> remove;
};
/// The slots of a pool that is alone, in memory.
std::unique_ptr<Slots> MakeSlots(ClaimKeeper keeper = {});

}  // namespace depot::records
