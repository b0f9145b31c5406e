#include "pool/service/visitors.h"

#include <algorithm>

namespace depot::service {
namespace {

constexpr std::size_t kMostVisits = 1000;
constexpr std::size_t kMostVisitsOfToken = 20;

}  // namespace

Result<std::optional<Secret>> Visitors::Begin(const Secret& token,
                                              std::int64_t now,
                                              identity::Caller& who) {
  TRY_ASSIGN(auto caller, gate_.Admit(*settings_.Current(), token, now));
  if (!caller) return std::nullopt;
  who = *std::move(caller);
  Secret id = identity::NewToken("visit");
  std::lock_guard lock(mutex_);
  MakeRoom(who.admitted_by, now);
  visits_[identity::TokenHash(id)] = {token, who.admitted_by, now};
  return id;
}

Result<std::optional<identity::Caller>> Visitors::Find(const Secret& id, std::int64_t now) {
  Secret token;
  {
    std::lock_guard lock(mutex_);
    auto found = visits_.find(identity::TokenHash(id));
    if (found != visits_.end() && now - found->second.begun < kLongest) token = found->second.token;
  }
  if (token.empty()) return Fail(ErrorCode::kDenied, "this visit is over");
  return gate_.Admit(*settings_.Current(), token, now);
}

void Visitors::End(const Secret& id) {
  std::lock_guard lock(mutex_);
  visits_.erase(identity::TokenHash(id));
}

void Visitors::MakeRoom(const std::string& admitted_by, std::int64_t now) {
  std::erase_if(visits_, [&](const auto& entry) { return now - entry.second.begun >= kLongest; });
  auto older = [](const auto& one, const auto& other) {
    return one.second.begun < other.second.begun;
  };
  auto own = [&](const auto& entry) { return entry.second.admitted_by == admitted_by; };
  if (std::count_if(visits_.begin(), visits_.end(), own) >= std::ptrdiff_t{kMostVisitsOfToken}) {
    visits_.erase(std::min_element(visits_.begin(), visits_.end(), [&](auto& one, auto& other) {
      return own(one) != own(other) ? own(one) : older(one, other);
    }));
  }
  if (visits_.size() >= kMostVisits) {
    visits_.erase(std::min_element(visits_.begin(), visits_.end(), older));
  }
}

}  // namespace depot::service
