#pragma once

#include <memory>
#include <vector>

#include "driver/event/sink.h"
#include "driver/rpc/server.h"
#include "driver/session/description_store.h"
#include "driver/session/faults.h"
#include "driver/session/services.h"
#include "driver/solve/solve.h"
#include "plugin/choice/crew.h"
#include "plugin/deliver/engine_load.h"
#include "plugin/job/context_loans.h"
#include "plugin/plan/plan.h"

namespace depot::job {

/// One builder's part of a target. A target has one for each builder that its platforms need; each
/// phase fills in what is its own.
struct PlatformBuild {
  choice::Share share;
  builder::Builder* builder = nullptr;  ///< the Crew's
  choice::BuildxName buildx;
  /// Where the events of its solve go; says the platform when others build other platforms.
  EventSink* sink = nullptr;
  std::unique_ptr<EventSink> labelled;  ///< behind `sink`, when that is not the target's itself
  rpc::ServiceTable services;           ///< what this builder may ask of us
  rpc::ServiceTable standby;            ///< the same in the session of a second connection
  /// What the builder sends to describe an image that is to be loaded.
  std::shared_ptr<session::DescriptionStore> described;
  session::Faults faults;  ///< what went wrong on our side of that
  /// What it has sent to us of its results; null before its solve.
  std::shared_ptr<session::ExportLog> exported;
  /// While it is solved, when other targets may need the same files.
  std::unique_ptr<ContextLoans::Loan> loan;
  plan::BuildPlan plan;
  solve::BuildResult solved;
  /// What the Engine got of all builders; of the first of them, when layers were loaded.
  std::optional<deliver::EngineLoaded> loaded;
};

/// The parts for what was assigned, not planned yet; `sink` must outlive them.
std::vector<PlatformBuild> PartsOf(std::vector<choice::Assignment> assigned, EventSink& sink);

}  // namespace depot::job
