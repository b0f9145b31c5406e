#include "plugin/job/context_loans.h"

#include "driver/base/random.h"

namespace depot::job {

ContextLoans::Loan::~Loan() {
  const std::lock_guard lock(loans_.mutex_);
  GiveBackLocked();
}

void ContextLoans::Loan::GiveBackLocked() {
  for (const std::shared_ptr<Lent>& one : borrowed_)
    --one->users;
  borrowed_.clear();
  for (const Key& key : keys_)
    loans_.lent_.erase(key);
  keys_.clear();
  loans_.changed_.notify_all();
}

void ContextLoans::Loan::Settle(const Cancel& cancel) {
  std::unique_lock lock(loans_.mutex_);
  // Before it waits: two may have borrowed from each other.
  GiveBackLocked();
  if (lent_) cancel.Wait(lock, loans_.changed_, [&] { return lent_->users == 0; });
}

std::unique_ptr<ContextLoans::Loan> ContextLoans::Arrange(const builder::Builder* builder,
                                                          const plan::Source& source,
                                                          solve::BuildRequest& request) {
  auto loan = std::make_unique<Loan>(*this);
  if (request.shared_key.empty()) return loan;
  const std::lock_guard lock(mutex_);
  for (const auto& [name, tree] : source.trees) {
    if (tree.directory.empty()) continue;
    Key key{builder, request.shared_key, name, tree.directory};
    auto found = lent_.find(key);
    if (found != lent_.end()) {
      request.local_sessions[name] = found->second->session;
      ++found->second->users;
      loan->borrowed_.push_back(found->second);
      continue;
    }
    if (request.session.empty()) request.session = RandomId();
    if (!loan->lent_) loan->lent_ = std::make_shared<Lent>(Lent{request.session, 0});
    lent_.emplace(key, loan->lent_);
    loan->keys_.push_back(std::move(key));
  }
  return loan;
}

}  // namespace depot::job
