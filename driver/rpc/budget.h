#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <utility>

namespace depot::rpc {

/// The memory that one connection may hold of what its peer has sent and nobody has taken yet:
/// headers, messages that are still arriving, messages that wait to be read. Any thread.
class Budget {
 public:
  /// `limit` in bytes.
  explicit Budget(std::size_t limit) : limit_(limit) {}

  /// False when that would exceed the limit: then nothing is taken.
  bool Take(std::size_t bytes) {
    if (used_.fetch_add(bytes) + bytes <= limit_) return true;
    used_ -= bytes;
    return false;
  }

  void Give(std::size_t bytes) { used_ -= bytes; }

  std::size_t limit() const { return limit_; }
  std::size_t used() const { return used_; }

 private:
  const std::size_t limit_;
  std::atomic<std::size_t> used_{0};
};

/// What one stream has of the budget; given back when it goes.
class BudgetShare {
 public:
  BudgetShare() = default;
  explicit BudgetShare(std::shared_ptr<Budget> budget) : budget_(std::move(budget)) {}
  BudgetShare(const BudgetShare&) = delete;
  BudgetShare& operator=(const BudgetShare&) = delete;
  BudgetShare& operator=(BudgetShare&& other) noexcept {
    std::swap(budget_, other.budget_);
    std::swap(held_, other.held_);
    return *this;
  }
  ~BudgetShare() {
    if (budget_) budget_->Give(held_);
  }

  /// See Budget::Take().
  bool Take(std::size_t bytes) {
    if (!budget_->Take(bytes)) return false;
    held_ += bytes;
    return true;
  }

  void Give(std::size_t bytes) {
    budget_->Give(bytes);
    held_ -= bytes;
  }

 private:
  std::shared_ptr<Budget> budget_;
  std::size_t held_ = 0;
};

}  // namespace depot::rpc
