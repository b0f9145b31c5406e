#pragma once

#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "driver/base/cancel.h"
#include "driver/base/result.h"
#include "plugin/job/context_loans.h"
#include "plugin/job/filter_agreement.h"
#include "plugin/job/platform_build.h"

namespace depot::job {

/// Where the targets of one run that are contexts of others leave their results, builder by
/// builder. A target that others use goes on only when they have ended: until then its session must
/// serve what its result is made from. Any thread.
class LinkBoard {
 public:
  /// Before any target runs: `users` others use `target`.
  void Expect(const std::string& target, std::size_t users);

  /// `target` is built by these builders.
  void Announce(const std::string& target, std::set<const builder::Builder*> builders);

  /// What the frontend of `target` made on `builder` (LinkResult()).
  void Publish(const std::string& target, const builder::Builder* builder, std::string result);

  /// That result, once it is there. kFailed: `target` has failed; kUnsupported: it is built by
  /// other builders alone. Blocks.
  Result<std::string> Await(const std::string& target,
                            const builder::Builder* builder,
                            const Cancel& cancel);

  /// One of the users of `target` has ended.
  void Release(const std::string& target);

  /// Waits until all users of `target` have ended. Blocks.
  Result<> AwaitUsers(const std::string& target, const Cancel& cancel);

  /// `target` has ended without all of its results.
  void Fail(const std::string& target, Error error);

 private:
  struct Place {
    std::size_t users = 0;
    std::optional<std::set<const builder::Builder*>> builders;
    std::map<const builder::Builder*, std::string> results;
    std::optional<Error> error;
  };

  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::map<std::string, Place> places_;
};

/// How one target hangs together with others; without a board it stands alone.
struct Linkage {
  LinkBoard* board = nullptr;  ///< outlives the target
  std::string name;            ///< the target's; "" without a board
  bool several = false;        ///< it is not the only target of the run
  bool used = false;           ///< others use it
  /// The named contexts that are others' results: by the context's name the target.
  std::map<std::string, std::string> uses;
  ContextLoans* loans = nullptr;       ///< the run's; outlives the target; null = it is alone
  FilterAgreement* filters = nullptr;  ///< as `loans`, and null when that is
};

/// Waits for what the target uses, and puts it into the requests of its parts; what the target
/// makes will be left on the board. Then arranges that directories which other targets send are
/// sent once: FilterAgreement must expect the target, or it asks by itself. Blocks.
Result<> Link(const Linkage& linkage,
              const plan::Source& source,
              std::vector<PlatformBuild>& parts,
              const Cancel& cancel);

}  // namespace depot::job
