#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "driver/base/cancel.h"
#include "driver/builder/builder.h"
#include "driver/oci/descriptor.h"
#include "driver/rpc/status.h"

namespace depot::solve {

/// A blob of the builder's content store, checked against its digest (containerd
/// api/services/content/v1, which BuildKit serves read only beside its control API). What a build
/// made may be collected as garbage soon after the solve, so read it at once. kNotFound: the store
/// has it not, or no longer. kInvalid: no sha256 digest, another content, or more than `max_size`
/// bytes. A connection that was lost, before or
/// meanwhile, is made again once: the content is still there. Blocks.
Result<std::string> ReadBlob(builder::Builder& builder,
                             const std::string& digest,
                             std::size_t max_size,
                             const Cancel& cancel);

/// An attestation that the builder keeps with its record of a build. Its blob, for ReadBlob(), is
/// the bare predicate, without the in-toto statement around it (BuildKit
/// solver/llbsolver/solver.go, recordBuildHistory).
struct RecordedAttestation {
  std::string platform;  ///< as the builder writes it, "linux/amd64"; "" = the build has but one
  std::string predicate_type;
  std::string digest;
};

/// What the builder recorded of the solve `ref` that has ended (Control.ListenBuildHistory). Empty
/// when it has no record, or one without attestations; kUnsupported when it keeps no history
/// (BuildKit before 0.11). A lost connection is
/// made again, as in ReadBlob(). Blocks.
Result<std::vector<RecordedAttestation>> ReadBuildRecord(builder::Builder& builder,
                                                         const std::string& ref,
                                                         const Cancel& cancel);

/// How a builder says that a solve has ended.
struct RecordedEnd {
  /// Control.Solve's answer, as in BuildResult.
  std::map<std::string, std::string> exporter_response;
  rpc::Status status;  ///< of a failure as Control.Solve would have told it
};

/// How the solve `ref` ended, as the builder recorded it; nullopt when it has no record, or one of
/// a solve that still runs. Otherwise as ReadBuildRecord().
Result<std::optional<RecordedEnd>> ReadRecordedEnd(builder::Builder& builder,
                                                   const std::string& ref,
                                                   const Cancel& cancel);

/// What each exporter of the solve `ref` made, by its index in the request, as the builder recorded
/// it: media type, digest and size. Archives and files are not in it. Empty when it has no record
/// or one without results (BuildKit before 0.13). Otherwise as ReadBuildRecord().
Result<std::map<std::int64_t, Descriptor>> ReadRecordedResults(builder::Builder& builder,
                                                               const std::string& ref,
                                                               const Cancel& cancel);

}  // namespace depot::solve
