#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "driver/event/masks.h"
#include "driver/event/sink.h"
#include "driver/files/tree.h"
#include "driver/http/client.h"
#include "driver/registry/keyring.h"
#include "driver/rpc/server.h"
#include "driver/session/faults.h"
#include "driver/session/secrets.h"
#include "driver/session/targets.h"

/// The services that a builder may call in its session, one Add function each. What is passed by
/// reference must outlive the ServiceTable's last call. Handlers run on the session's own threads,
/// several at once. A request for anything that was not offered is refused, said with one Notice,
/// and never served.
namespace depot::session {

/// grpc.health.v1.Health/Check: always SERVING.
void AddHealth(rpc::ServiceTable& table);

/// moby.filesync.v1.FileSync: sends the trees in `trees` ("context", "dockerfile", ...). Owner of
/// all entries becomes 0:0, as every BuildKit client does.
void AddFileSync(rpc::ServiceTable& table,
                 const std::map<std::string, std::unique_ptr<files::FileTree>>& trees,
                 Faults& faults,
                 EventSink& sink);

/// Which results have arrived. Any thread may use it.
class ExportLog {
 public:
  /// A stream for the target with this index begins; false: it has had one already.
  bool RecordBegin(int target);

  /// The target with this index has all its bytes.
  void RecordEnd(int target);

  /// Nothing has begun or arrived: the same is to be sent once more.
  void StartOver();

  /// Success when every one of `targets` has ended; for a build that the builder calls a success.
  Result<> CheckComplete(const std::map<int, ExportTarget>& targets) const;

 private:
  mutable std::mutex mutex_;
  std::set<int> begun_;
  std::set<int> ended_;
};

/// moby.filesync.v1.FileSend: receives what exporters send; the key is the exporter's index in the
/// request. An index that is not there is refused. A StreamTarget takes one stream, the others any
/// number of them at once (one per platform); what is in a directory already is merged with.
std::shared_ptr<ExportLog> AddFileSend(rpc::ServiceTable& table,
                                       std::map<int, ExportTarget>& targets,
                                       Faults& faults,
                                       EventSink& sink);

/// The user's credentials as builders get them; the sessions of one build share it. Any thread.
class Auth;

/// What is passed must outlive it. Shows "[auth] SCOPES token for HOST" steps. The token
/// authority's per-host seeds live in memory only.
std::shared_ptr<Auth> MakeAuth(registry::Keyring& keyring,
                               http::HttpClient& client,
                               EventSink& sink);

/// moby.filesync.v1.Auth: Credentials for registries that speak Basic; for Bearer registries the
/// token is fetched here, so that the password does not travel.
void AddAuth(rpc::ServiceTable& table, const std::shared_ptr<Auth>& auth);

/// The secrets of one build, which its sessions share: what can be read only once (a pipe) is read
/// once, whoever asks, under whatever name. Any thread.
class Secrets;

/// `masks` learns each secret before a builder gets it. Both references must outlive it.
std::shared_ptr<Secrets> MakeSecrets(std::vector<SecretSpec> secrets,
                                     EventSink& sink,
                                     Masks& masks);

/// moby.buildkit.secrets.v1.Secrets. One that was given and cannot be read is a fault.
void AddSecrets(rpc::ServiceTable& table, const std::shared_ptr<Secrets>& secrets, Faults& faults);

/// moby.upload.v1.Upload: hands the tar archive on `input` (bytes already read first, then the
/// descriptor until its end) to the builder, once; zstd is unpacked here. Returns the URL for the
/// `context` attribute.
std::string AddUpload(rpc::ServiceTable& table,
                      std::string already_read,
                      int input,
                      Faults& faults);

/// Reads such an archive to its end into a file without a name in `directory`, for several
/// builders. Blocks as long as whoever writes the archive takes.
Result<Fd> StoreUpload(std::string_view already_read,
                       int input,
                       const std::string& directory,
                       const Cancel& cancel);

/// The same service from such a file, any number of times and in several tables, always from its
/// beginning; `file` must stay open until the table's last call.
std::string AddStoredUpload(rpc::ServiceTable& table, int file, Faults& faults);

}  // namespace depot::session
