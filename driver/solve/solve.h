#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <variant>

#include "driver/builder/builder.h"
#include "driver/event/sink.h"
#include "driver/rpc/server.h"
#include "driver/session/faults.h"
#include "driver/solve/request.h"

namespace depot::solve {

/// What a successful solve left behind.
struct BuildResult {
  /// Control.Solve's answer, verbatim: containerimage.digest, image.name, ... (BuildKit
  /// exporter/containerimage/exptypes).
  std::map<std::string, std::string> exporter_response;
  std::string ref;  ///< the build's id on the builder
  /// Of BuildRequest::call, the metadata of the frontend's result: result.json, result.txt,
  /// version, result.statuscode (BuildKit frontend/subrequests). As the builder sent it, not for a
  /// terminal.
  std::map<std::string, std::string> answer;
};

/// Whether a solve that failed may well end better when it is made again.
enum class Passing : std::uint8_t {
  kNo,        ///< it would end so again
  kPush,      ///< PushMayPass()
  kLayer,     ///< LayerWasTaken()
  kSnapshot,  ///< SnapshotWasLeft(); the others are of solves whose steps were all done
};

/// The build itself failed, or the user cancelled it.
struct Failed {
  Error error;
  Passing passing = Passing::kNo;
};

/// The link to the builder, or the builder, was lost before it said how the build ended. It may
/// even have succeeded: ReadRecordedEnd() of `ref` can tell once the builder is connected again.
struct Lost {
  Error error;      ///< kUnavailable: which hop, when, what may have happened, what to do
  std::string ref;  ///< the solve's id on the builder
};

/// How a solve ended: done, failed or lost.
using SolveOutcome = std::variant<BuildResult, Failed, Lost>;

/// Runs one build to its end: opens a session that serves `services`, solves, and streams progress
/// to `sink` until the builder has told everything. A failed step's Error has the Dockerfile
/// excerpt. A builder whose frontend does not know BuildRequest::call is asked once more with the
/// frontend image that docker buildx takes then; when that fails too, the Error names the version
/// that has the call. The first of `faults`, which the services record, is the Error whatever the
/// builder says; when it says nothing more, the solve is cancelled 2 s later. When `cancel` stops,
/// the builder is told and the call returns within 3 s, whatever the builder does. Blocks.
SolveOutcome Solve(builder::Builder& builder,
                   const BuildRequest& request,
                   const rpc::ServiceTable& services,
                   session::Faults& faults,
                   EventSink& sink,
                   const Cancel& cancel);

}  // namespace depot::solve
