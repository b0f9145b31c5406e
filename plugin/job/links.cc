#include "plugin/job/links.h"

#include "driver/base/text.h"
#include "driver/solve/linked_result.h"

namespace depot::job {
namespace {

constexpr const char* kCapabilities = "frontend.caps";
constexpr std::string_view kNamedContexts = "moby.buildkit.frontend.contexts+forward";

/// The frontend must know what a named context is.
void NeedNamedContexts(std::map<std::string, std::string>& attrs) {
  std::string& known = attrs[kCapabilities];
  if (known.find(kNamedContexts) != std::string::npos) return;
  known = known.empty() ? std::string(kNamedContexts) : Cat(kNamedContexts, ',', known);
}

Result<> Use(const Linkage& linkage, PlatformBuild& part, const Cancel& cancel) {
  solve::BuildRequest& request = part.plan.request;
  for (const auto& [context, target] : linkage.uses) {
    TRY_ASSIGN(const std::string result, linkage.board->Await(target, part.builder, cancel));
    TRY_ASSIGN(solve::LinkedInputs link, solve::LinkResult(result, context, Cat("0-", target)));
    request.frontend_attrs.merge(link.attrs);
    request.inputs.merge(link.inputs);
  }
  if (!linkage.uses.empty()) NeedNamedContexts(request.frontend_attrs);
  return {};
}

std::set<const builder::Builder*> BuildersOf(const std::vector<PlatformBuild>& parts) {
  std::set<const builder::Builder*> builders;
  for (const PlatformBuild& part : parts)
    builders.insert(part.builder);
  return builders;
}

void ShareContexts(const Linkage& linkage,
                   const plan::Source& source,
                   std::vector<PlatformBuild>& parts) {
  linkage.filters->Arrive(linkage.name, BuildersOf(parts));
  for (PlatformBuild& part : parts) {
    solve::BuildRequest& request = part.plan.request;
    part.loan = linkage.loans->Arrange(part.builder, source, request);
    request.linger = [loan = part.loan.get()](const Cancel& stop) { loan->Settle(stop); };
    if (request.shared_key.empty()) continue;
    for (const plan::LocalContext& context : plan::LocalContexts(source))
      request.sharing.contexts[context.local] = context.attribute;
    request.sharing.agree = [filters = linkage.filters, name = linkage.name,
                             builder = part.builder](const solve::LocalFilters& asked,
                                                     const Cancel& stop) {
      return filters->Agree(name, builder, asked, stop);
    };
  }
}

}  // namespace

void LinkBoard::Expect(const std::string& target, std::size_t users) {
  const std::lock_guard lock(mutex_);
  places_[target].users = users;
}

void LinkBoard::Announce(const std::string& target, std::set<const builder::Builder*> builders) {
  const std::lock_guard lock(mutex_);
  places_[target].builders = std::move(builders);
  changed_.notify_all();
}

void LinkBoard::Publish(const std::string& target,
                        const builder::Builder* builder,
                        std::string result) {
  const std::lock_guard lock(mutex_);
  places_[target].results[builder] = std::move(result);
  changed_.notify_all();
}

Result<std::string> LinkBoard::Await(const std::string& target,
                                     const builder::Builder* builder,
                                     const Cancel& cancel) {
  std::unique_lock lock(mutex_);
  const Place& place = places_[target];
  const bool known = cancel.Wait(lock, changed_, [&] {
    return place.error || place.results.contains(builder) ||
           (place.builders && !place.builders->contains(builder));
  });
  if (!known) return depot::Fail(cancel.error());
  if (place.error) return depot::Fail(Error(*place.error));
  auto result = place.results.find(builder);
  if (result != place.results.end()) return result->second;
  return depot::Fail(
      Error(ErrorCode::kUnsupported,
            Cat("the linked target ", target, " is not built by the builder that needs it"))
          .WithHint("give both targets the same platforms"));
}

void LinkBoard::Release(const std::string& target) {
  const std::lock_guard lock(mutex_);
  Place& place = places_[target];
  if (place.users > 0) --place.users;
  changed_.notify_all();
}

Result<> LinkBoard::AwaitUsers(const std::string& target, const Cancel& cancel) {
  std::unique_lock lock(mutex_);
  const Place& place = places_[target];
  if (cancel.Wait(lock, changed_, [&] { return place.users == 0; })) return {};
  return depot::Fail(cancel.error());
}

void LinkBoard::Fail(const std::string& target, Error error) {
  const std::lock_guard lock(mutex_);
  std::optional<Error>& first = places_[target].error;
  if (!first) first = std::move(error);
  changed_.notify_all();
}

Result<> Link(const Linkage& linkage,
              const plan::Source& source,
              std::vector<PlatformBuild>& parts,
              const Cancel& cancel) {
  if (linkage.board == nullptr) return {};
  if (linkage.used) linkage.board->Announce(linkage.name, BuildersOf(parts));
  for (PlatformBuild& part : parts) {
    TRY(Use(linkage, part, cancel));
    if (!linkage.used) continue;
    part.plan.request.on_result = [board = linkage.board, name = linkage.name,
                                   builder = part.builder](const std::string& result,
                                                           const Cancel& stop) -> Result<> {
      board->Publish(name, builder, result);
      return board->AwaitUsers(name, stop);
    };
  }
  if (linkage.loans != nullptr) ShareContexts(linkage, source, parts);
  return {};
}

}  // namespace depot::job
