#pragma once

#include <memory>
#include <string>

#include "driver/builder/driver.h"
#include "driver/depot/api.h"
#include "driver/event/sink.h"

namespace depot::api {

/// A build that the API knows of, from CreateBuild to FinishBuild. Its driver gets the machines:
/// Acquire() asks GetMachine until one is there (a step "[depot] launching amd64 machine" shows how
/// long it takes and what the queue says), connects ("[depot] connecting to amd64 machine"; a
/// machine that is not reached within a minute is asked for again). A machine that is lost and does
/// not come back is replaced by Builder::Reconnect() in the same way, with the same build. From the
/// first moment a thread of its own reports health every 5 s until the builder is let go, whatever
/// else the process does; a cancels_at in the past closes the connection, and the build fails with
/// that as its reason. Steps are reported to the API in batches. Acquire() may run for several
/// platforms at once.
class HostedBuild {
 public:
  virtual ~HostedBuild() = default;  ///< when Finish() was not called: as canceled, at most 2 s

  virtual const CreatedBuild& created() const = 0;
  virtual builder::Driver& driver() = 0;

  /// Tells the API how it ended; once, however often it is called. `failure` nullptr = success; a
  /// kCancelled one, or any after the API itself cancelled the build = canceled. Bounded: 10 s,
  /// after a cancel 2 s. When the build's own Cancel stops, "canceled" is sent at once by the
  /// health thread, so that nothing is left to wait for. A failure to tell is an Error for the user
  /// to see, not a failure of the build.
  virtual Result<> Finish(const Error* failure) = 0;
};

/// Creates the build with the API, or with `existing_build` (DEPOT_BUILD_ID) takes part in it: then
/// `token` is the build's token, and Finish() tells nothing. `api` and `sink` must outlive it;
/// `cancel` is the build's.
Result<std::unique_ptr<HostedBuild>> StartHostedBuild(Api& api,
                                                      const Token& token,
                                                      const BuildDescription& description,
                                                      const std::string& existing_build,
                                                      EventSink& sink,
                                                      const Cancel& cancel);

}  // namespace depot::api
