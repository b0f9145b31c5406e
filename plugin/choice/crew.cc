#include "plugin/choice/crew.h"

#include "driver/base/task_group.h"
#include "driver/base/text.h"
#include "driver/oci/platform_list.h"

namespace depot::choice {
namespace {

/// What a driver of several machines has to give: the machine's own platform will do for all that
/// it runs.
std::optional<Platform> MachineFor(const Share& share, const Site& site) {
  for (const Platform& platform : share.platforms) {
    if (!Contains(share.emulated, platform)) return platform;
  }
  if (!site.native.empty()) return site.native.front();
  return std::nullopt;
}

/// A machine that was said to be one for these platforms may say otherwise itself.
void FindEmulated(Assignment& one) {
  const std::vector<Platform>& listed = one.builder->features().platforms;
  if (listed.empty()) return;
  std::vector<Platform> native = NativeFamily(listed.front());
  for (const Platform& platform : one.share.platforms) {
    bool known = Contains(one.share.emulated, platform) || Contains(native, platform);
    if (!known) one.share.emulated.push_back(platform);
  }
}

}  // namespace

Crew::Crew(std::vector<Site> sites, EventSink& sink)
    : sites_(std::move(sites)), sink_(sink), slots_(sites_.size()) {}

Result<builder::Builder*> Crew::Get(std::size_t site,
                                    const std::optional<Platform>& machine,
                                    const Cancel& cancel) {
  Slot& slot = slots_[site];
  {
    std::unique_lock lock(mutex_);
    if (!cancel.Wait(lock, changed_, [&] { return !slot.busy; })) return Fail(cancel.error());
    if (slot.builder) return slot.builder.get();
    slot.busy = true;
  }
  auto acquired = sites_[site].driver->Acquire(machine, sink_, cancel);
  std::lock_guard lock(mutex_);
  slot.busy = false;
  changed_.notify_all();
  // Who waited for it tries by itself: this failure may be the end of one target alone.
  if (!acquired) return Fail(std::move(acquired).error());
  slot.builder = *std::move(acquired);
  return slot.builder.get();
}

/// A builder of which too little is known says by itself what it is, once it is held.
Result<std::vector<Site>> Crew::AskSites(const std::vector<Platform>& wanted,
                                         Emulation emulation,
                                         const Cancel& cancel) {
  std::vector<Site> sites = sites_;
  auto ask = [&](const std::vector<std::size_t>& indexes) -> Result<> {
    TaskGroup group(cancel);
    for (std::size_t index : indexes) {
      group.Start("acquire", [&, index](const Cancel& stop) -> Result<> {
        Site& site = sites[index];
        std::optional<Platform> machine;
        if (!site.native.empty()) machine = site.native.front();
        TRY_ASSIGN(builder::Builder * builder, Get(index, machine, stop));
        const std::vector<Platform>& listed = builder->features().platforms;
        if (site.native.empty()) site.native = listed.empty() ? wanted : NativePart(listed);
        site.emulated = listed;
        return {};
      });
    }
    return group.Wait();
  };
  std::vector<std::size_t> unknown;
  std::vector<std::size_t> named;
  for (std::size_t index = 0; index < sites.size(); ++index)
    (sites[index].native.empty() ? unknown : named).push_back(index);
  TRY(ask(unknown));
  if (emulation == Emulation::kListed && !RunsNatively(wanted, sites)) TRY(ask(named));
  return sites;
}

Result<std::vector<Assignment>> Crew::Assign(const std::vector<Platform>& wanted,
                                             Emulation emulation,
                                             const Cancel& cancel) {
  TRY_ASSIGN(const std::vector<Site> sites, AskSites(wanted, emulation, cancel));
  TRY_ASSIGN(auto shares, Place(wanted, sites, HostPlatform(), emulation));
  std::vector<Assignment> assigned(shares.size());
  TaskGroup group(cancel);
  for (std::size_t index = 0; index < shares.size(); ++index) {
    assigned[index].share = std::move(shares[index]);
    group.Start("acquire", [&, index](const Cancel& stop) -> Result<> {
      Assignment& one = assigned[index];
      std::size_t site = one.share.site;
      one.buildx = sites[site].buildx;
      TRY_ASSIGN(one.builder, Get(site, MachineFor(one.share, sites[site]), stop));
      return {};
    });
  }
  TRY(group.Wait());
  for (Assignment& one : assigned) {
    FindEmulated(one);
    std::vector<Platform> emulated = one.share.emulated;
    // Of a machine that nobody knows nobody has an emulator.
    std::erase_if(emulated, [](const Platform& each) { return !DoubtAbout(each).empty(); });
    if (!emulated.empty()) {
      sink_.Say(
          Cat(FormatPlatforms(emulated, ", "), " is emulated on ", sites_[one.share.site].name));
    }
  }
  return assigned;
}

}  // namespace depot::choice
