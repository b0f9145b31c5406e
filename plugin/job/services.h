#pragma once

#include <memory>
#include <string>
#include <vector>

#include "driver/base/fd.h"
#include "driver/event/sink.h"
#include "driver/session/services.h"
#include "plugin/job/inputs.h"
#include "plugin/job/job.h"
#include "plugin/job/platform_build.h"

namespace depot::job {

/// What the builders of one target may ask of us in their sessions: files, credentials, secrets, an
/// uploaded context. Must outlive the sessions. One thread.
class Services {
 public:
  /// All that is passed must outlive it.
  Services(Inputs& inputs, Job& job, EventSink& sink);

  /// Gets ready for that many builders. For several, files that change in between are said: the
  /// platforms may differ in them. For several, or when one reads it `twice`, a context on standard
  /// input is read to its end and kept. Once.
  Result<> Prepare(std::size_t builders, bool twice, const Cancel& cancel);

  /// Offers everything to one builder. Returns the address of the uploaded context, for the
  /// plan; "" when nothing is uploaded.
  std::string AddTo(PlatformBuild& part);

 private:
  void CompareTrees();
  Result<> StoreContext(const Cancel& cancel);

  Inputs& inputs_;
  Job& job_;
  EventSink& sink_;
  std::shared_ptr<session::Auth> auth_;
  std::shared_ptr<session::Secrets> secrets_;
  Fd stored_context_;
};

}  // namespace depot::job
