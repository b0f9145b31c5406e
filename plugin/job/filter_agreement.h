#pragma once

#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "driver/base/cancel.h"
#include "driver/builder/builder.h"
#include "driver/solve/request.h"

namespace depot::job {

class Job;

/// Lets the targets of one run that need the same directory ask for it in one way. A frontend asks
/// for what its own target copies, so a builder takes that for a source of its own, and gets what
/// several targets copy once for each. Here they wait until all of them have asked, and then each
/// asks for what they need together; ContextLoans makes one source of that. Any thread; outlives
/// the targets.
class FilterAgreement {
 public:
  /// Absolute paths, by the names that sessions have for them.
  using Directories = std::map<std::string, std::string>;

  /// Targets of one job that wait for each other, so that none may need another's result.
  struct Wave {
    const Job* job = nullptr;
    std::size_t number = 0;

    bool operator==(const Wave&) const = default;
  };

  /// Before any target of the wave is built: `target` offers these. The builder keeps its copy of
  /// each under its name and `kept_under` (plan::Source::shared_name); "" = it does not keep it.
  void Expect(const std::string& target,
              Wave wave,
              Directories directories,
              std::string kept_under = "");

  /// `target` is about to be solved by these builders.
  void Arrive(const std::string& target, std::set<const builder::Builder*> builders);

  /// `target` has ended.
  void Leave(const std::string& target);

  /// What the solve of `target` on `builder` is to ask for; what is left out is good as it is.
  /// Blocks until the others of its wave have asked the same builder for the same directories, or
  /// have ended, or for kPatience. Whoever is later goes by itself, as does a target that was not
  /// expected. A second call gives the same as the first.
  solve::SharedFilters Agree(const std::string& target,
                             const builder::Builder* builder,
                             const solve::LocalFilters& asked,
                             const Cancel& cancel);

 private:
  struct Member {
    Wave wave;
    Directories directories;
    std::string kept_under;
    bool left = false;                                          ///< nobody waits for it any more
    std::optional<std::set<const builder::Builder*>> builders;  ///< nullopt: not known yet
    /// These by the builder.
    std::map<const builder::Builder*, solve::LocalFilters> asked;
    std::map<const builder::Builder*, solve::SharedFilters> agreed;
  };
  using Members = std::map<std::string, Member>;

  bool AllHaveAsked(const Member& member, const builder::Builder* builder) const;
  void LeaveBehind(const Member& member, const builder::Builder* builder);
  static bool SameDirectory(const Member& one, const Member& other, const std::string& name);
  /// Whether the builder would put another directory of `other` in place of its copy of `name`.
  static bool Displaces(const Member& other, const Member& one, const std::string& name);
  /// What another wave asks for already, when it has all that `member` needs.
  std::optional<solve::SharedFilter> Covering(const Member& member,
                                              const builder::Builder* builder,
                                              const std::string& name) const;
  std::optional<solve::SharedFilter> Together(const Member& member,
                                              const builder::Builder* builder,
                                              const std::string& name) const;

  std::mutex mutex_;
  std::condition_variable_any changed_;
  Members members_;
};

}  // namespace depot::job
