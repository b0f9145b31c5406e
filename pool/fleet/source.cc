#include "pool/fleet/source.h"

#include <utility>

#include "driver/base/shown.h"
#include "driver/base/text.h"

namespace depot::fleet {
namespace {

constexpr std::chrono::seconds kLookUpEvery(2);

/// Where the builder of an entry with an endpoint is kept: nothing depends on its address.
const Address kListed{};

}  // namespace

Source::Source(settings::BuilderSettings settings, const Surroundings& surroundings)
    : settings_(std::move(settings)), surroundings_(surroundings) {
  if (settings_.discover.empty()) {
    Add(kListed);
    return;
  }
  threads_.Start("lookup", [this](const Cancel& stop) { return LookUp(stop); });
}

Result<> Source::LookUp(const Cancel& cancel) {
  std::string trouble;
  bool empty = false;
  do {
    auto answer = Lookup({settings_.discover, settings_.discover_port});
    const std::string now = answer ? "" : answer.error().message();
    if (now != trouble) {
      surroundings_.say(Cat("builders ", settings_.name, ": ", Printable(settings_.discover),
                            now.empty() ? " is resolved again"
                                        : Cat(" cannot be resolved, what is known stays: ", now)));
    }
    trouble = now;
    if (answer) {
      if (answer->empty() && !empty) {
        surroundings_.say(Cat("builders ", settings_.name, ": there is nobody by the name ",
                              Printable(settings_.discover)));
      }
      empty = answer->empty();
      std::lock_guard lock(mutex_);
      answer_ = {answer->begin(), answer->end()};
    }
  } while (cancel.SleepFor(kLookUpEvery));
  return {};
}

void Source::Add(const Address& address) {
  Place& place = places_[address];
  if (place.watch) return;
  // Certificates live for minutes, so each connection gets one of its own.
  auto way = [&surroundings = surroundings_, builder = At(address, {})] {
    return surroundings.way(builder);
  };
  place.watch = std::make_unique<Watch>(std::move(way), settings_.discover.empty());
}

void Source::Follow() {
  if (settings_.discover.empty()) return;
  std::set<Address> answer;
  {
    std::lock_guard lock(mutex_);
    answer = answer_;
  }
  for (const Address& address : answer) {
    if (places_.size() < kMostAddresses) Add(address);
  }
  std::erase_if(places_, [&](const auto& entry) {
    if (answer.contains(entry.first)) return false;
    const Sighting sighting = entry.second.watch->Now();
    const FleetBuilder builder = At(entry.first, sighting);
    if (sighting.health == Health::kUp) return false;
    if (entry.second.refused.empty() && surroundings_.in_use(builder.name)) return false;
    if (!sighting.worker.empty()) surroundings_.say(Cat("builder ", builder.name, " is gone"));
    return true;
  });
}

FleetBuilder Source::At(const Address& address, const Sighting& sighting) const {
  FleetBuilder builder;
  const bool listed = settings_.discover.empty();
  builder.name = listed ? settings_.name : Cat(settings_.name, '/', sighting.worker);
  builder.source = settings_.name;
  builder.platform = settings_.platform;
  builder.endpoint = listed ? settings_.endpoint : Cat("tcp://", address.Text());
  builder.server_name = settings_.server_name;
  builder.ca_pem = settings_.ca_pem;
  builder.slots = settings_.slots;
  builder.projects = settings_.projects;
  builder.cache = listed ? settings_.name : sighting.worker;
  builder.health = sighting.health;
  builder.why = sighting.why;
  builder.since = sighting.since;
  return builder;
}

std::string Source::WhyRefused(const FleetBuilder& builder,
                               const Sighting& sighting,
                               const std::set<std::string>& taken) const {
  if (settings_.discover.empty()) return "";
  if (sighting.worker.empty()) {
    return sighting.health == Health::kDown ? Cat("it cannot be reached: ", sighting.why)
                                            : "it was not reached yet";
  }
  if (taken.contains(builder.name)) {
    return Cat("another one has the same worker's ID, ", sighting.worker,
               ": give each a cache volume of its own, copies of none");
  }
  if (sighting.platform.os != settings_.platform.os ||
      sighting.platform.architecture != settings_.platform.architecture) {
    return Cat("it is of ", Printable(FormatPlatform(sighting.platform).substr(0, 60)), ", not of ",
               FormatPlatform(settings_.platform));
  }
  return "";
}

void Source::Say(Place& place, const FleetBuilder& builder) {
  const Health before = std::exchange(place.said, builder.health);
  if (before == builder.health || builder.health == Health::kUnknown) return;
  if (builder.health == Health::kUp) {
    if (before == Health::kUnknown && settings_.discover.empty()) return;
    surroundings_.say(before == Health::kUnknown
                          ? Cat("builder ", builder.name, " is there, at ", builder.endpoint)
                          : Cat("builder ", builder.name, " is up again"));
  } else if (builder.health == Health::kDraining) {
    surroundings_.say(
        Cat("builder ", builder.name, " is about to end: it gets no more builds, its own go on"));
  } else {
    surroundings_.say(Cat("builder ", builder.name, " is down: ", builder.why));
  }
}

std::vector<FleetBuilder> Source::Look(std::set<std::string>& taken) {
  std::vector<FleetBuilder> builders;
  if (!settings_.discover.empty()) {
    // So that builds wait for those that may come.
    FleetBuilder none = At(kListed, {});
    none.name = settings_.name;
    none.slots = 0;
    builders.push_back(std::move(none));
  }
  // Who was there first keeps the name, so those that are up come first.
  for (const bool up : {true, false}) {
    for (auto& [address, place] : places_) {
      const Sighting sighting = place.watch->Now();
      if ((sighting.health == Health::kUp && place.refused.empty()) != up) continue;
      FleetBuilder builder = At(address, sighting);
      std::string refused = WhyRefused(builder, sighting, taken);
      if (refused.empty()) {
        Say(place, builder);
        taken.insert(builder.name);
        builders.push_back(std::move(builder));
      } else if (refused != place.refused &&
                 (sighting.health == Health::kUp ||
                  (sighting.health == Health::kDown && sighting.worker.empty()))) {
        surroundings_.say(Cat("builders ", settings_.name, ": the one at ", address.Text(),
                              " is not used: ", refused));
      }
      place.refused = std::move(refused);
    }
  }
  return builders;
}

}  // namespace depot::fleet
