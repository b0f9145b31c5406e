#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "pool/fleet/fleet.h"
#include "pool/identity/authority.h"
#include "pool/identity/identity.h"
#include "pool/records/records.h"
#include "pool/service/backlog.h"
#include "pool/service/journal.h"
#include "pool/service/live_settings.h"
#include "pool/service/metrics.h"
#include "pool/web/server.h"

namespace depot::service {

/// What all services work with; owned by the pool, which outlives them.
struct Parts {
  LiveSettings& settings;
  identity::Gate& gate;
  identity::BuilderAuthorities& authorities;
  records::Records& records;
  Backlog& backlog;
  records::Slots& slots;
  fleet::Fleet& fleet;
  const Journal& journal;
  Metrics& metrics;
  bool shared;  ///< there may be other pools with these records
};

/// Who asks.
struct Who {
  std::string name;                           ///< for the audit
  std::vector<std::string> projects;          ///< what opens; empty for a build's own token
  std::string admitted_by;                    ///< identity::Caller's; "" for a build's own token
  std::optional<records::BuildRecord> build;  ///< a build's own token opens this alone; as it was
};

/// One call under way. Lives as long as its method runs.
struct Call {
  std::string_view body;
  Who who;
  std::shared_ptr<const settings::Settings> settings;
  std::string network;   ///< who the client counts as: web::Request::network
  std::int64_t now = 0;  ///< seconds since 1970
  Decision decision;     ///< the method fills in what it learns; the audit gets it
  bool audited = true;   ///< false: a success is no decision worth a line
  std::vector<std::pair<std::string, std::string>> headers;  ///< for the response
};

/// The serialized response, or "ask me again".
using Reply = std::variant<std::string, web::Later>;

/// The work of one RPC; waits for nobody. Its Error becomes a Connect error: kInvalid
/// invalid_argument, kNotFound not_found, kDenied permission_denied, kFailed failed_precondition,
/// kUnsupported unimplemented, kUnavailable unavailable, others internal. kTimeout: another process
/// has the records locked (records::Records), so the method is called again for up to 5 s; until
/// then it must not have done what may not be done twice.
using Method = std::function<Result<Reply>(Call&)>;

/// One RPC as it is served.
struct Rpc {
  /// Who may call.
  enum class Admission { kToken, kAnybody };
  /// What the response is: one message, or a stream of one message.
  enum class Form { kUnary, kServerStream };

  std::string path;  ///< "/depot.cli.v1.BuildService/CreateBuild"
  Admission admission = Admission::kToken;
  Form form = Form::kUnary;
  Method method;
};

/// Serves an RPC: checks the token by the head alone, reads the body, runs the method, answers,
/// writes the audit line, counts. `parts` must outlive the routes.
void AddRpc(web::Routes& routes, const Parts& parts, Rpc served);

/// Serves a client stream whose messages are counted and dropped.
void AddDroppedStream(web::Routes& routes, const Parts& parts, const std::string& path);

/// Whether an RPC's caller expects a Connect stream (its errors travel otherwise).
bool IsStream(const web::Request& request);

/// The message of the request.
template <typename Message>
Result<Message> Decode(const Call& call) {
  Message message;
  if (!message.ParseFromArray(call.body.data(), static_cast<int>(call.body.size()))) {
    return Fail(ErrorCode::kInvalid, "the request is not the message of this method");
  }
  return message;
}

/// The build, if the caller may use it: by its own token, or one that opens its project. kNotFound
/// otherwise, whether it exists or not.
Result<records::BuildRecord> OpenBuild(const Parts& parts, Call& call, const std::string& id);

/// `project`, or the only one that opens when it is "". kDenied names what opens.
Result<std::string> OpenProject(Call& call, const std::string& project);

/// Build tokens begin with this.
constexpr const char* kBuildTokenPrefix = "depot_build";

/// Build tokens live this much longer than the build may run: for its last words.
constexpr std::int64_t kLastWords = 600;

}  // namespace depot::service
