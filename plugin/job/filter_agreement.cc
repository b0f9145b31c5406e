#include "plugin/job/filter_agreement.h"

#include <algorithm>
#include <chrono>

#include "driver/base/text.h"
#include "driver/oci/digest.h"

namespace depot::job {
namespace {

/// For the slowest of a wave, which may wait for a registry or for a frontend's image. Without it
/// there is no more than a context that is sent once more.
constexpr std::chrono::seconds kPatience(30);

bool ShareADirectory(const FilterAgreement::Directories& one,
                     const FilterAgreement::Directories& other) {
  return std::any_of(one.begin(), one.end(), [&](const auto& directory) {
    auto found = other.find(directory.first);
    return found != other.end() && found->second == directory.second;
  });
}

bool Covers(const solve::SharedFilter& shared, const solve::LocalFilter& own) {
  if (shared.follow.empty() || own.follow.empty()) return shared.follow.empty();
  return std::includes(shared.follow.begin(), shared.follow.end(), own.follow.begin(),
                       own.follow.end());
}

}  // namespace

void FilterAgreement::Expect(const std::string& target,
                             Wave wave,
                             Directories directories,
                             std::string kept_under) {
  const std::lock_guard lock(mutex_);
  Member& member = members_[target];
  member.wave = wave;
  member.directories = std::move(directories);
  member.kept_under = std::move(kept_under);
}

void FilterAgreement::Arrive(const std::string& target,
                             std::set<const builder::Builder*> builders) {
  const std::lock_guard lock(mutex_);
  auto member = members_.find(target);
  if (member == members_.end()) return;
  member->second.builders = std::move(builders);
  changed_.notify_all();
}

void FilterAgreement::Leave(const std::string& target) {
  const std::lock_guard lock(mutex_);
  auto member = members_.find(target);
  if (member == members_.end()) return;
  member->second.left = true;
  changed_.notify_all();
}

solve::SharedFilters FilterAgreement::Agree(const std::string& target,
                                            const builder::Builder* builder,
                                            const solve::LocalFilters& asked,
                                            const Cancel& cancel) {
  std::unique_lock lock(mutex_);
  auto found = members_.find(target);
  if (found == members_.end()) return {};
  Member& member = found->second;
  auto before = member.agreed.find(builder);
  if (before != member.agreed.end()) return before->second;
  if (member.left) return {};
  member.asked[builder] = asked;
  changed_.notify_all();
  const Cancel patience = cancel.WithTimeout(kPatience, "the other targets' frontends");
  const bool all = patience.Wait(lock, changed_, [&] { return AllHaveAsked(member, builder); });
  if (!all) LeaveBehind(member, builder);
  solve::SharedFilters& agreed = member.agreed[builder];
  for (const auto& [name, filter] : asked) {
    auto shared = Covering(member, builder, name);
    if (!shared) shared = Together(member, builder, name);
    if (shared) agreed[name] = *std::move(shared);
  }
  return agreed;
}

bool FilterAgreement::AllHaveAsked(const Member& member, const builder::Builder* builder) const {
  return std::all_of(members_.begin(), members_.end(), [&](const auto& one) {
    const Member& other = one.second;
    return other.wave != member.wave || other.left || other.asked.contains(builder) ||
           (other.builders && !other.builders->contains(builder)) ||
           !ShareADirectory(member.directories, other.directories);
  });
}

bool FilterAgreement::SameDirectory(const Member& one,
                                    const Member& other,
                                    const std::string& name) {
  auto own = one.directories.find(name);
  auto found = other.directories.find(name);
  return own != one.directories.end() && found != other.directories.end() &&
         own->second == found->second;
}

bool FilterAgreement::Displaces(const Member& other, const Member& one, const std::string& name) {
  return !one.kept_under.empty() && one.kept_under == other.kept_under &&
         other.directories.contains(name) && !SameDirectory(one, other, name);
}

/// All that wait come to the same result, whoever is the first to lose patience.
void FilterAgreement::LeaveBehind(const Member& member, const builder::Builder* builder) {
  for (auto& [name, other] : members_) {
    if (other.wave == member.wave && !other.asked.contains(builder)) other.left = true;
  }
  changed_.notify_all();
}

std::optional<solve::SharedFilter> FilterAgreement::Covering(const Member& member,
                                                             const builder::Builder* builder,
                                                             const std::string& name) const {
  const solve::LocalFilter& own = member.asked.at(builder).at(name);
  for (const auto& [target, other] : members_) {
    auto agreed = other.agreed.find(builder);
    if (other.wave == member.wave || agreed == other.agreed.end()) continue;
    auto shared = agreed->second.find(name);
    if (shared == agreed->second.end() || !SameDirectory(member, other, name)) continue;
    if (other.asked.at(builder).at(name).rest == own.rest && Covers(shared->second, own)) {
      return shared->second;
    }
  }
  return std::nullopt;
}

/// Nullopt: nobody else asks for it or for another directory in its place, or all ask for the same.
std::optional<solve::SharedFilter> FilterAgreement::Together(const Member& member,
                                                             const builder::Builder* builder,
                                                             const std::string& name) const {
  const solve::LocalFilter& own = member.asked.at(builder).at(name);
  solve::SharedFilter shared;
  std::string targets;
  bool differ = false;
  bool everything = false;
  for (const auto& [target, other] : members_) {
    differ |= Displaces(other, member, name);
    if (!SameDirectory(member, other, name)) continue;
    // What another wave asks for may not be known yet.
    differ |= other.wave != member.wave;
    auto asked = other.asked.find(builder);
    if (other.wave != member.wave || asked == other.asked.end()) continue;
    auto filter = asked->second.find(name);
    if (filter == asked->second.end()) continue;
    differ |= filter->second.rest != own.rest || filter->second.follow != own.follow;
    if (filter->second.rest != own.rest) continue;
    everything |= filter->second.follow.empty();
    shared.follow.insert(filter->second.follow.begin(), filter->second.follow.end());
    targets += Cat(target, '\n');
  }
  if (!differ) return std::nullopt;
  if (everything) shared.follow.clear();
  // The builder keeps a copy for these targets: whoever takes less of it, as another wave or a
  // build of one of them alone, would take the others' files out. What they copy may change.
  shared.key = Cat("targets:", Sha256Hex(targets).substr(0, 16));
  return shared;
}

}  // namespace depot::job
