#include "plugin/acquire.h"

#include <algorithm>

#include "driver/base/task_group.h"
#include "driver/base/text.h"
#include "driver/event/labelled_sink.h"

namespace depot {
namespace {

std::string Names(const std::vector<Platform>& platforms) {
  std::vector<std::string> names;
  for (const Platform& platform : platforms)
    names.push_back(FormatPlatform(platform));
  return Join(names, ", ");
}

std::vector<plan::Site> Candidates(const std::vector<Site>& sites) {
  std::vector<plan::Site> candidates;
  for (const Site& site : sites)
    candidates.push_back({site.name, site.native, {}});
  return candidates;
}

/// What a driver of several machines has to give: the machine's own platform will do for all that
/// it runs.
std::optional<Platform> MachineFor(const plan::Share& share, const Site& site) {
  if (!share.platforms.empty() && share.emulated.size() < share.platforms.size()) {
    for (const Platform& platform : share.platforms) {
      if (std::find(share.emulated.begin(), share.emulated.end(), platform) ==
          share.emulated.end()) {
        return platform;
      }
    }
  }
  if (!site.native.empty()) return site.native.front();
  return std::nullopt;
}

/// A machine that was said to be one for these platforms may say otherwise itself.
void FindEmulated(Held& one) {
  const std::vector<Platform>& listed = one.builder->features().platforms;
  if (listed.empty()) return;
  std::vector<Platform> native = plan::NativeFamily(listed.front());
  std::vector<Platform>& emulated = one.share.emulated;
  for (const Platform& platform : one.share.platforms) {
    bool known = std::find(emulated.begin(), emulated.end(), platform) != emulated.end();
    bool runs = std::find(native.begin(), native.end(), platform) != native.end();
    if (!known && !runs) emulated.push_back(platform);
  }
}

/// A single builder says by itself what it is, once it is held.
Result<std::vector<Held>> AcquireOne(const Site& site,
                                     const std::vector<Platform>& wanted,
                                     bool emulate,
                                     EventSink& sink,
                                     const Cancel& cancel) {
  std::vector<Held> held(1);
  TRY_ASSIGN(held[0].builder, site.driver->Acquire(std::nullopt, sink, cancel));
  const std::vector<Platform>& listed = held[0].builder->features().platforms;
  // One that lists nothing is taken at the user's word.
  plan::Site candidate{site.name, listed.empty() ? wanted : plan::NativePart(listed), listed};
  TRY_ASSIGN(auto shares, plan::Place(wanted, {candidate}, HostPlatform(), emulate));
  held[0].share = std::move(shares.front());
  return held;
}

}  // namespace

Result<std::vector<Held>> AcquireBuilders(const std::vector<Site>& sites,
                                          const std::vector<Platform>& wanted,
                                          bool emulate,
                                          EventSink& sink,
                                          const Cancel& cancel) {
  std::vector<Held> held;
  if (sites.size() == 1 && sites.front().native.empty()) {
    TRY_ASSIGN(held, AcquireOne(sites.front(), wanted, emulate, sink, cancel));
  } else {
    TRY_ASSIGN(auto shares, plan::Place(wanted, Candidates(sites), HostPlatform(), emulate));
    held.resize(shares.size());
    TaskGroup group(cancel);
    for (std::size_t index = 0; index < shares.size(); ++index) {
      held[index].share = std::move(shares[index]);
      group.Start("acquire", [&, index](const Cancel& stop) -> Result<> {
        Held& one = held[index];
        const Site& site = sites[one.share.site];
        TRY_ASSIGN(one.builder, site.driver->Acquire(MachineFor(one.share, site), sink, stop));
        return {};
      });
    }
    TRY(group.Wait());
  }
  for (Held& one : held) {
    FindEmulated(one);
    one.sink = &sink;
    if (held.size() > 1) {
      one.labelled = MakeLabelledSink(sink, Names(one.share.platforms));
      one.sink = one.labelled.get();
    }
    if (!one.share.emulated.empty()) {
      sink.Say(Cat(Names(one.share.emulated), " is emulated on ", sites[one.share.site].name));
    }
  }
  return held;
}

}  // namespace depot
