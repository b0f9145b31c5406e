#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "driver/oci/digest.h"
#include "driver/rpc/server.h"
#include "driver/session/content_store.h"

namespace depot::session {

/// How far a blob has come that is being written.
struct WriteProgress {
  std::string ref;      ///< the builder's name for the write
  BlobInfo expected;    ///< as far as it was said
  std::int64_t offset;  ///< bytes so far
};

/// The writes that are going on in one session, by store and ref: there is one at a time of each.
/// Any thread.
class RunningWrites {
 public:
  /// False when there is one of this name.
  bool Enter(const std::string& store, const std::string& ref);
  void Update(const std::string& store, const WriteProgress& progress);
  void Leave(const std::string& store, const std::string& ref);
  std::optional<WriteProgress> Find(const std::string& store, const std::string& ref) const;
  std::vector<WriteProgress> All(const std::string& store) const;

 private:
  mutable std::mutex mutex_;
  std::map<std::pair<std::string, std::string>, WriteProgress> writes_;
};

/// What became of a write: `status` goes to the builder, `fault` is what failed on our side.
struct WriteEnd {
  rpc::Status status;
  std::optional<Error> fault;
};

/// Serves one call of Content/Write on `store` (known as `store_name` in `running`) to its end: one
/// blob, request by request (containerd plugins/services/content/contentserver). Blocks.
WriteEnd ServeWrite(rpc::ServerCall& call,
                    ContentStore& store,
                    const std::string& store_name,
                    RunningWrites& running,
                    const Cancel& cancel);

}  // namespace depot::session
