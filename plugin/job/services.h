#pragma once

#include <memory>
#include <string>
#include <vector>

#include "driver/base/fd.h"
#include "driver/event/sink.h"
#include "driver/session/services.h"
#include "driver/session/ssh_service.h"
#include "plugin/job/inputs.h"
#include "plugin/job/job.h"

namespace depot::job {

/// What the builders of one target may ask of us in their sessions: files, credentials, secrets,
/// ssh agents, an uploaded context. Must outlive the sessions. One thread.
class Services {
 public:
  /// All that is passed must outlive it.
  Services(Inputs& inputs, Job& job, EventSink& sink);

  /// Gets ready for that many builders. For several, files that change in between are said: the
  /// platforms may differ in them; for these, or when they will be asked `again`, a context on
  /// standard input is read to its end and kept. Once.
  Result<> Prepare(std::size_t builders, bool again, const Cancel& cancel);

  /// Offers everything to one builder, for one session, and content of its own besides. Returns the
  /// address of the uploaded context, for the plan; "" when nothing is uploaded. `table` and
  /// `faults` must outlive the session.
  std::string AddTo(rpc::ServiceTable& table,
                    session::Faults& faults,
                    session::OfferedStores own = {});

  /// The part of it that a second session of the same build offers: no directory, nothing that is
  /// uploaded.
  void AddStandby(rpc::ServiceTable& table, session::Faults& faults);

  /// Gets ready for a builder that will ask for everything once more: tokens of registries are made
  /// anew. An Error when the context was on standard input and is not kept. Any thread.
  Result<> StartOver();

 private:
  void CompareTrees();
  Result<> StoreContext(const Cancel& cancel);

  Inputs& inputs_;
  Job& job_;
  EventSink& sink_;
  std::shared_ptr<session::Auth> auth_;
  std::shared_ptr<session::Secrets> secrets_;
  std::shared_ptr<session::SshAgents> ssh_;
  Fd stored_context_;
};

}  // namespace depot::job
