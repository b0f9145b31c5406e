#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "driver/base/result.h"

/// Builds, what became of them, and who waits for which builder.
namespace depot::records {

/// How long a build may be silent: then it loses its slots and its places in the queue.
constexpr std::chrono::seconds kSilence(60);

/// One builder, as far as handing it out goes.
struct BuilderSlots {
  std::string name;
  std::string platform;               ///< linux/amd64
  int slots = 1;                      ///< builds at once; 0: builders that are not there yet
  std::vector<std::string> projects;  ///< only these; empty = all
  std::string cache{};                ///< which cache it has, for homes; "" = that of its name
};

/// Why a claim has the builder that it has.
enum class Grounds {
  kTurn,    ///< it was next; or it has none
  kHome,    ///< the builder is a home of its project: the project's cache is kept there
  kPassed,  ///< it was passed as often as may be, and took what was free
  kWaited,  ///< no home came free in time, and it took what was free
};

/// One build's wish for a builder of a platform, waiting or fulfilled.
struct Claim {
  std::string build;
  std::string platform;
  std::string project;
  std::int64_t ticket = 0;  ///< in the order of asking; no two are the same
  std::string builder;      ///< "" = waits
  std::int64_t turn = 0;    ///< place in the queue, smaller is earlier: see turns.h
  Grounds grounds = Grounds::kTurn;
  int passed = 0;                      ///< so often a later one got what it could have used
  std::chrono::milliseconds since{0};  ///< it joined the queue then, on the clock of Slots
  std::int64_t asked_at = 0;           ///< seconds since 1970; kept by Records alone, for people
  std::int64_t granted_at = 0;         ///< the same; 0 = it waits

  friend bool operator==(const Claim&, const Claim&) = default;
};

/// How much it counts that a builder has the project's cache. Either of them 0: not at all.
struct HomeRules {
  std::chrono::milliseconds wait{0};  ///< so long the first in the queue waits for a home
  int passes = 0;                     ///< so often a claim may be passed by later ones
};

/// The build has a slot of this builder until it is released. `first`: it did not know before.
struct Granted {
  Claim claim;
  bool first = false;
};

/// What a build waits for.
enum class Lack {
  kSlot,     ///< every builder that is up is busy
  kBuilder,  ///< no builder that it could have is up
  kHome,     ///< a builder is free, but a home of the project, with its cache, may be soon
  kLimit,    ///< its project has as many slots as it may have
  kStore,    ///< the database of several pools is away
};

/// The build has to wait. `first`: it has just joined the queue.
struct Waiting {
  Claim claim;
  int position = 1;                ///< among all that wait for the platform
  std::chrono::milliseconds wait;  ///< ask again after this; grows with the position
  bool first = false;
  Lack lack = Lack::kSlot;
};

/// There is no builder of that platform for that project at all.
struct NoBuilder {};

/// The database of several pools fails.
struct NoAnswer {
  Error error;
};

/// What a build that asks for a builder is told.
using Answer = std::variant<Granted, Waiting, NoBuilder, NoAnswer>;

/// What Expire() took away.
struct Expired {
  std::vector<std::string> builds;  ///< silent altogether; they are gone from here
  std::vector<Claim> claims;        ///< silent for one platform alone; their build goes on
};

/// What one project has of a platform, and wants.
struct ProjectLoad {
  int in_use = 0;
  int waiting = 0;
};

/// How busy one platform is.
struct PlatformLoad {
  int slots = 0;
  int in_use = 0;
  int waiting = 0;
  std::map<std::string, ProjectLoad> projects;  ///< that have or want anything
};

}  // namespace depot::records
