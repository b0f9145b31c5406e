#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <tuple>
#include <vector>

#include "driver/base/cancel.h"
#include "driver/builder/builder.h"
#include "driver/solve/request.h"
#include "plugin/plan/source.h"

namespace depot::job {

/// Lets the targets of one run send a directory to a builder once: the first that needs it lends
/// its session to those that come while it is solved, and the builder, which takes their local
/// sources for one, asks for it once (solve::BuildRequest::local_sessions). A frontend that is too
/// old for that asks each by itself. Any thread; outlives the targets.
class ContextLoans {
  using Key = std::tuple<const builder::Builder*, std::string, std::string, std::string>;
  /// What one target lends: its session, and how many use it.
  struct Lent {
    std::string session;
    std::size_t users = 0;
  };

 public:
  /// What one solve lends and has borrowed, until its end.
  class Loan {
   public:
    explicit Loan(ContextLoans& loans) : loans_(loans) {}
    ~Loan();
    Loan(const Loan&) = delete;
    Loan& operator=(const Loan&) = delete;

    /// When its own solve has ended: gives back what it has borrowed, lends to nobody any more, and
    /// waits until all have given back. Blocks.
    void Settle(const Cancel& cancel);

   private:
    friend class ContextLoans;
    void GiveBackLocked();

    ContextLoans& loans_;
    std::vector<Key> keys_;                        ///< lent under these
    std::shared_ptr<Lent> lent_;                   ///< null = nothing
    std::vector<std::shared_ptr<Lent>> borrowed_;  ///< of others
  };

  /// Has `request` borrow what another solve of `builder` lends of `source`, and lends the rest.
  /// The loan must live until the solve has ended.
  std::unique_ptr<Loan> Arrange(const builder::Builder* builder,
                                const plan::Source& source,
                                solve::BuildRequest& request);

 private:
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::map<Key, std::shared_ptr<Lent>> lent_;
};

}  // namespace depot::job
