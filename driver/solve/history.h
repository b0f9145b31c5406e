#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "driver/base/cancel.h"
#include "driver/builder/builder.h"
#include "driver/event/sink.h"
#include "driver/rpc/status.h"

namespace depot::solve {

/// A moment; both are 0 for none.
struct Moment {
  std::int64_t seconds = 0;  ///< since 1970
  std::int32_t nanos = 0;
};

/// What a build made, as its record has it: an attestation, or what an exporter wrote.
struct Attachment {
  std::string digest;
  std::string platform;  ///< "linux/amd64"; "" = the build has but one
  std::string type;      ///< an attestation's predicate type, else the media type
};

/// What a builder keeps of a build, or of one that runs. Text is as the builder sent it.
struct HistoryRecord {
  std::string ref;
  std::map<std::string, std::string> attributes;  ///< of the frontend
  Moment created;
  Moment completed;    ///< none = it still runs
  int error_code = 0;  ///< gRPC's; 0 = it did not fail
  std::string error;   ///< what it failed with
  std::int32_t total_steps = 0;
  std::int32_t completed_steps = 0;
  std::int32_t cached_steps = 0;
  std::vector<Attachment> attachments;

  bool running() const { return completed.seconds == 0 && completed.nanos == 0; }
  bool failed() const { return error_code != 0 || !error.empty(); }
  bool cancelled() const { return error_code == static_cast<int>(rpc::Code::kCancelled); }

  /// Of that name; "" = there is none.
  std::string Attribute(const std::string& name) const {
    const auto found = attributes.find(name);
    return found == attributes.end() ? "" : found->second;
  }
};

/// The builder's records, in no order, or with `ref` that one alone, if it is there
/// (Control.ListenBuildHistory). kUnsupported when it keeps none (BuildKit before 0.11). Blocks.
Result<std::vector<HistoryRecord>> ListHistory(builder::Builder& builder,
                                               const std::string& ref,
                                               const Cancel& cancel);

/// Removes a record (Control.UpdateBuildHistory). Blocks.
Result<> RemoveFromHistory(builder::Builder& builder, const std::string& ref, const Cancel& cancel);

/// Emits the events of a recorded build again, or those of one that runs until it ends
/// (Control.Status). Blocks.
Result<> ReplayBuild(builder::Builder& builder,
                     const std::string& ref,
                     EventSink& sink,
                     const Cancel& cancel);

}  // namespace depot::solve
