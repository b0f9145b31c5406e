#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "driver/base/result.h"
#include "driver/base/secret.h"
#include "pool/records/slots.h"
#include "pool/records/sql.h"
#include "pool/settings/settings.h"

namespace depot::records {

/// What became of a build. kLost: its client was silent for too long; a client that comes back may
/// still say how the build ended.
enum class State { kRunning, kSucceeded, kFailed, kCanceled, kLost };

/// "running", "succeeded", "failed", "canceled", "lost".
std::string StateName(State state);

/// One build. Times in seconds since 1970.
struct BuildRecord {
  std::int64_t number = 0;  ///< given by Create(): later builds have larger ones
  std::string id;
  std::string project;
  std::string creator;  ///< who created it, for people
  /// What let its creator in: see identity::Caller::admitted_by; "" = not known, as of builds that
  /// an older pool has written.
  std::string admitted_by;
  std::int64_t created_at = 0;
  std::int64_t ends_at = 0;  ///< it may run until then
  std::string token_hash;    ///< of its build token
  bool saved = false;        ///< its image goes to the project's own repository too
  std::string options;       ///< as the service wrote it; not for this room to read
  State state = State::kRunning;
  std::string error;  ///< printable; of a failed build
  std::int64_t finished_at = 0;
  std::int64_t cancel_at = 0;  ///< somebody wants it to end; 0 = nobody
};

/// A device login that waits for its approval, or has it. Times in seconds since 1970.
struct LoginRecord {
  std::string code;        ///< what people type
  std::string token_hash;  ///< of the token that the approval makes valid
  std::int64_t expires_at = 0;
  std::string user;       ///< "" = not approved yet
  std::string id_hash{};  ///< of what its client asks for the outcome with
  std::string network{};  ///< who began it: web::Request::network
};

/// What is known of the emptying of a project's cache, to one who asks for it.
struct ResetNews {
  enum class Kind {
    kBegin,     ///< nobody is at it: the one who has asked is to begin
    kUnderWay,  ///< somebody is
    kEnded,     ///< this is the outcome; it is given once
  };

  Kind kind = Kind::kBegin;
  std::optional<Error> failure;  ///< of one that has ended
};

/// The pool's memory: a SQLite file, or a PostgreSQL that several pools share. Several processes
/// may have it open (servers, and `depot-pool builds`). Safe to use from several threads; how long
/// a call blocks, and what its Errors mean, is said in sql.h.
class Records {
 public:
  virtual ~Records() = default;

  /// Stores a new build. The oldest ended builds of its project beyond 10,000 go.
  virtual Result<> Create(const BuildRecord& build) = 0;

  /// kNotFound when there is none.
  virtual Result<BuildRecord> Find(const std::string& id) = 0;
  virtual Result<BuildRecord> FindByToken(const std::string& token_hash) = 0;

  /// Ends a build that runs or is lost; false when it had ended before: then nothing changes.
  virtual Result<bool> Finish(const std::string& id,
                              State state,
                              const std::string& error,
                              std::int64_t now) = 0;

  /// Asks for a running build's end; false when there is no running build of that id.
  virtual Result<bool> RequestCancel(const std::string& id, std::int64_t now) = 0;

  /// Newest first, of `project` ("" = all): up to `limit` with numbers below `before` (0 = from
  /// the newest).
  virtual Result<std::vector<BuildRecord>> List(const std::string& project,
                                                int limit,
                                                std::int64_t before) = 0;

  /// All that run.
  virtual Result<std::vector<BuildRecord>> Running() = 0;

  /// How many builds there are in each state.
  virtual Result<std::map<State, std::int64_t>> Count() = 0;

  /// Keeps a claim for the time after a restart, and for people as long as its build; replaces the
  /// one of the same build and platform, whose `asked_at` stays.
  virtual Result<> StoreClaim(const Claim& claim) = 0;
  virtual Result<> RemoveClaim(const Claim& claim) = 0;

  /// The claims of running builds, in the order of the queue.
  virtual Result<std::vector<Claim>> OpenClaims() = 0;

  /// The claims of one build, whether it runs or not.
  virtual Result<std::vector<Claim>> ClaimsOf(const std::string& build) = 0;

  /// The claims of the build with this number and of all later ones.
  virtual Result<std::vector<Claim>> ClaimsFrom(std::int64_t number) = 0;

  /// Logins: those that have expired by `now` are forgotten with each new one. Each network may
  /// have 10 (kUnavailable). When 1000 wait the oldest of the network that has most of them goes,
  /// so that many together block nobody else.
  virtual Result<> StoreLogin(const LoginRecord& login, std::int64_t now) = 0;
  virtual Result<LoginRecord> FindLogin(const std::string& code, std::int64_t now) = 0;
  virtual Result<LoginRecord> FindLoginById(const std::string& id_hash, std::int64_t now) = 0;
  virtual Result<> ApproveLogin(const std::string& code, const std::string& user) = 0;
  virtual Result<> RemoveLogin(const std::string& code) = 0;

  /// What the tokens of logins are made with; the same as long as there are these records.
  virtual Result<Secret> LoginSecret() = 0;

  /// Asks for the emptying of a project's cache; `runner` is the caller's and nobody else's. One
  /// that its runner has not reported for 15 s, or that `runner` itself asks for, is begun again;
  /// an outcome is kept for 30 s.
  virtual Result<ResetNews> AskReset(const std::string& project,
                                     const std::string& runner,
                                     std::int64_t now) = 0;

  /// The runner's report that it is at it, or (with `ended`) how it has ended.
  virtual Result<> ReportReset(const std::string& project,
                               const std::string& runner,
                               const std::optional<Result<>>& ended,
                               std::int64_t now) = 0;

  /// Tokens, where pools share them: in the order of their making. A record that is stored again
  /// replaces the one of its id.
  virtual Result<std::vector<settings::TokenRecord>> Tokens() = 0;
  virtual Result<> StoreToken(const settings::TokenRecord& token) = 0;

  /// Whether they can be written at the moment.
  virtual Result<> Check() = 0;
};

/// Records in a database that several pools share (postgres_store.h), which must outlive them. What
/// is found of a build that runs may be 1.5 s old, as far as other pools have changed it.
std::unique_ptr<Records> MakeRecords(SqlStore& store);

/// How long commands of people wait for another process, and everybody while the file is opened.
constexpr std::chrono::milliseconds kLockPatience(5000);

/// Opens DIRECTORY/builds.sqlite, made (mode 0600) when it is not there, and checks it. Calls wait
/// `patience` at most for another process that has it locked; a server does not wait at all.
Result<std::unique_ptr<Records>> OpenRecords(const std::string& directory,
                                             std::chrono::milliseconds patience = kLockPatience);

}  // namespace depot::records
