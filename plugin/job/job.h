#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "driver/depot/hosted_build.h"
#include "plugin/choice/choose.h"
#include "plugin/choice/crew.h"
#include "plugin/job/registry_access.h"
#include "plugin/job/workshop.h"

namespace depot::job {

/// One run of builds: what its targets share. The builders that were chosen, and the user's way
/// into registries; when the Depot API gives the builders, it knows of the run from Start() to
/// Finish(). Any thread, except for Finish().
class Job {
 public:
  /// Says what was chosen to `sink`, and tells the Depot API, if that is the choice, of the build
  /// that `description` describes. `workshop`, `sink` and what `cancel` hangs on must outlive it.
  static Result<std::unique_ptr<Job>> Start(Workshop& workshop,
                                            choice::Choice choice,
                                            const api::BuildDescription& description,
                                            EventSink& sink,
                                            const Cancel& cancel);
  ~Job();  ///< without Finish(): the API hears that it was cancelled
  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;

  Workshop& workshop() { return workshop_; }
  choice::Crew& crew() { return *crew_; }
  RegistryAccess& registries() { return *registries_; }

  /// The builder is the local Docker Engine's own.
  bool builds_in_engine() const { return choice_.engine; }
  bool loads_by_default() const { return choice_.default_load; }
  choice::Emulation emulation() const { return choice_.emulation; }
  const std::string& node_id() const { return choice_.node_id; }
  /// What the Depot API wants the saved image of a target to be called; empty when nothing is
  /// saved. `target` is its name in a bake, which ends the tags (depot/cli pkg/registry), else "".
  std::vector<std::string> SaveAs(const std::string& target) const;

  /// What the command `pull` takes to bring the saved image: "--project P BUILD"; "" when nothing
  /// is saved.
  std::string saved_build() const;

  /// What the Depot API knows the build by, for the metadata file: deliver::DepotBuildValue(); ""
  /// without the API.
  std::string depot_build(const std::vector<std::string>& targets = {}) const;

  /// Lets go of the builders and tells the Depot API how it ended; `failure` null = success. Once,
  /// when no target runs any more. That the API cannot be told is a warning.
  void Finish(const Error* failure);

 private:
  Job(Workshop& workshop, choice::Choice choice, EventSink& sink)
      : workshop_(workshop), choice_(std::move(choice)), sink_(sink) {}

  /// Whose build it is at the Depot API, which was told of it.
  const std::string& project() const;
  Result<> StartHosted(const api::BuildDescription& description, const Cancel& cancel);

  Workshop& workshop_;
  choice::Choice choice_;
  EventSink& sink_;
  std::unique_ptr<api::Api> api_;
  std::unique_ptr<api::HostedBuild> hosted_;
  std::vector<std::string> save_as_;
  std::unique_ptr<RegistryAccess> registries_;
  std::unique_ptr<choice::Crew> crew_;  // before the build that its drivers are of
};

}  // namespace depot::job
