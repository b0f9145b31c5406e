#include "pool/service/call.h"

#include <algorithm>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "pool/web/connect.h"

namespace depot::service {
namespace {

using web::RpcCode;
using web::RpcError;

constexpr std::chrono::milliseconds kShortestPause(50);
constexpr std::chrono::milliseconds kLongestPause(2000);
constexpr std::chrono::seconds kLockPatience(5);

RpcCode CodeOf(ErrorCode code) {
  switch (code) {
    case ErrorCode::kUsage:
    case ErrorCode::kInvalid:
      return RpcCode::kInvalidArgument;
    case ErrorCode::kNotFound:
      return RpcCode::kNotFound;
    case ErrorCode::kDenied:
      return RpcCode::kPermissionDenied;
    case ErrorCode::kExists:
    case ErrorCode::kFailed:
      return RpcCode::kFailedPrecondition;
    case ErrorCode::kUnsupported:
      return RpcCode::kUnimplemented;
    case ErrorCode::kUnavailable:
    case ErrorCode::kTimeout:
    case ErrorCode::kCancelled:
      return RpcCode::kUnavailable;
    case ErrorCode::kInternal:
      break;
  }
  return RpcCode::kInternal;
}

RpcError ToRpcError(const Error& error) {
  std::string text = error.message();
  if (!error.hint().empty()) text += Cat(" (", error.hint(), ')');
  return {CodeOf(error.code()), text};
}

/// The pool's own trouble, as opposed to a request that is not in order.
bool IsOurs(RpcCode code) {
  return code == RpcCode::kInternal || code == RpcCode::kUnavailable;
}

Secret Bearer(const web::Request& request) {
  std::string header = request.Header("authorization");
  constexpr std::size_t kScheme = 7;
  if (LowerAscii(std::string_view(header).substr(0, kScheme)) != "bearer ") return Secret();
  return Secret(std::string(Trim(std::string_view(header).substr(kScheme))));
}

Result<Who> AdmitBuild(const Parts& parts, const Secret& bearer, std::int64_t now) {
  auto build = parts.records.FindByToken(identity::TokenHash(bearer));
  if (!build) {
    if (build.error().code() != ErrorCode::kNotFound) return Fail(std::move(build).error());
    return Fail(ErrorCode::kDenied, "the build token is unknown to this pool");
  }
  if (now > build->ends_at + kLastWords) {
    return Fail(ErrorCode::kDenied, "the build token has expired");
  }
  return Who{"build", {}, "", *std::move(build)};
}

/// kDenied when the token opens nothing; nullopt when that is not known yet.
Result<std::optional<Who>> Admit(const Parts& parts,
                                 const settings::Settings& settings,
                                 const web::Request& head,
                                 std::int64_t now) {
  Secret bearer = Bearer(head);
  if (bearer.empty()) {
    return Fail(ErrorCode::kDenied, "no token: the pool wants `Authorization: Bearer TOKEN`");
  }
  if (bearer.Reveal().starts_with(Cat(kBuildTokenPrefix, '_'))) {
    return AdmitBuild(parts, bearer, now);
  }
  TRY_ASSIGN(std::optional<identity::Caller> caller, parts.gate.Admit(settings, bearer, now));
  if (!caller) return std::nullopt;
  return Who{
      std::move(caller->name), std::move(caller->projects), std::move(caller->admitted_by), {}};
}

/// Longer and longer pauses: many may wait for the same thing.
web::Later AgainSoon(const web::Request& request) {
  auto age = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::steady_clock::now() - request.begun);
  return {std::clamp(age / 2, kShortestPause, kLongestPause)};
}

/// The records are locked, and the request has not waited for long yet.
bool MayWait(const Error& error, const web::Request& request) {
  return error.code() == ErrorCode::kTimeout &&
         std::chrono::steady_clock::now() - request.begun < kLockPatience;
}

/// What AddRpc() and AddDroppedStream() have in common: the call's begin and its end.
class Desk {
 public:
  Desk(const Parts& parts, const web::Request& request) : parts_(parts) {
    call_.settings = parts.settings.Current();
    call_.network = request.network;
    call_.now = WallClock();
    call_.decision.peer = request.peer;
    call_.decision.what = request.path.substr(request.path.rfind('/') + 1);
  }

  Call& call() { return call_; }

  /// Who sends the head; the RpcError that the client gets, or Later.
  std::variant<Who, RpcError, web::Later> CheckToken(const web::Request& head) {
    auto who = Admit(parts_, *call_.settings, head, call_.now);
    if (who && !*who) return AgainSoon(head);
    if (who) {
      Enter(**who);
      return **std::move(who);
    }
    if (MayWait(who.error(), head)) return AgainSoon(head);
    RpcError error = ToRpcError(who.error());
    if (who.error().code() == ErrorCode::kDenied) {
      error.code = RpcCode::kUnauthenticated;
      parts_.metrics.CountRejectedToken();
    }
    return error;
  }

  void Enter(const Who& who) {
    call_.who = who;
    call_.decision.who = who.name;
  }

  void Failed(const RpcError& error) {
    call_.decision.verdict = IsOurs(error.code) ? "failed" : "refused";
    call_.decision.reason = error.message;
    parts_.metrics.CountRequest(call_.decision.what, std::string(web::NameOf(error.code)));
    parts_.journal.Audit(call_.decision);
    if (IsOurs(error.code)) {
      parts_.journal.Say(Cat(call_.decision.what, " failed: ", error.message));
    }
  }

  void Done() {
    parts_.metrics.CountRequest(call_.decision.what, "ok");
    if (!call_.audited) return;
    call_.decision.verdict = "allowed";
    parts_.journal.Audit(call_.decision);
  }

 private:
  const Parts& parts_;
  Call call_;
};

web::Response Refuse(Desk& desk, Rpc::Form form, const RpcError& error) {
  desk.Failed(error);
  return form == Rpc::Form::kUnary ? web::UnaryFailure(error) : web::StreamFailure(error);
}

/// The whole request of somebody who may send it.
web::Answer Serve(const Parts& parts, const Rpc& rpc, const Who& who, const web::Request& request) {
  std::string stream_body;
  Desk desk(parts, request);
  desk.Enter(who);
  if (rpc.form == Rpc::Form::kUnary) {
    auto body = web::UnaryBody(request);
    if (auto* refusal = std::get_if<web::Response>(&body)) return std::move(*refusal);
    desk.call().body = std::get<std::string_view>(body);
  } else {
    auto body = web::StreamRequestBody(request);
    if (auto* refusal = std::get_if<web::Response>(&body)) return std::move(*refusal);
    stream_body = std::get<std::string>(std::move(body));
    desk.call().body = stream_body;
  }
  Result<Reply> reply = rpc.method(desk.call());
  if (!reply && MayWait(reply.error(), request)) return AgainSoon(request);
  if (!reply) return Refuse(desk, rpc.form, ToRpcError(reply.error()));
  if (auto* later = std::get_if<web::Later>(&*reply)) return *later;
  desk.Done();
  std::string message = std::get<std::string>(*std::move(reply));
  web::Response response = rpc.form == Rpc::Form::kUnary ? web::UnaryAnswer(std::move(message))
                                                         : web::StreamAnswer(message);
  for (auto& header : desk.call().headers)
    response.headers.push_back(std::move(header));
  return response;
}

}  // namespace

void AddRpc(web::Routes& routes, const Parts& parts, Rpc served) {
  auto rpc = std::make_shared<const Rpc>(std::move(served));
  std::pair<std::string, std::string> at{"POST", rpc->path};
  if (rpc->admission == Rpc::Admission::kAnybody) {
    routes.whole[at] = [&parts, rpc](const web::Request& request, const Cancel&) {
      return Serve(parts, *rpc, Who(), request);
    };
    return;
  }
  routes.guarded[at] = [&parts, rpc](const web::Request& head, const Cancel&) -> web::Entrance {
    Desk desk(parts, head);
    auto who = desk.CheckToken(head);
    if (auto* later = std::get_if<web::Later>(&who)) return *later;
    if (auto* error = std::get_if<RpcError>(&who)) return Refuse(desk, rpc->form, *error);
    return [&parts, rpc, known = std::get<Who>(std::move(who))](const web::Request& request,
                                                                const Cancel&) -> web::Answer {
      return Serve(parts, *rpc, known, request);
    };
  };
}

void AddDroppedStream(web::Routes& routes, const Parts& parts, const std::string& path) {
  routes.guarded[{"POST", path}] = [&parts](const web::Request& head,
                                            const Cancel&) -> web::Entrance {
    Desk desk(parts, head);
    auto who = desk.CheckToken(head);
    if (auto* later = std::get_if<web::Later>(&who)) return *later;
    if (auto* error = std::get_if<RpcError>(&who)) {
      return Refuse(desk, Rpc::Form::kServerStream, *error);
    }
    desk.call().audited = false;
    desk.Done();
    return web::ReadMessages([&parts](std::string_view) -> Result<> {
      parts.metrics.CountReport();
      return {};
    });
  };
}

bool IsStream(const web::Request& request) {
  return request.Header("content-type").starts_with("application/connect+");
}

Result<records::BuildRecord> OpenBuild(const Parts& parts, Call& call, const std::string& id) {
  call.decision.build = id;
  auto none = [&] {
    return Fail(ErrorCode::kNotFound, Cat("there is no build \"", Printable(id.substr(0, 64)),
                                          "\" that this token opens"));
  };
  if (call.who.build && call.who.build->id != id) return none();
  // Also for the build's own token: its body may have come long after the head.
  auto build = parts.records.Find(id);
  if (!build) {
    if (build.error().code() == ErrorCode::kNotFound) return none();
    return build;
  }
  const auto& open = call.who.projects;
  if (!call.who.build && std::find(open.begin(), open.end(), build->project) == open.end()) {
    return none();
  }
  call.decision.project = build->project;
  return build;
}

Result<std::string> OpenProject(Call& call, const std::string& project) {
  call.decision.project = project;
  if (call.who.build) {
    return Fail(ErrorCode::kDenied, "a build's own token opens nothing but that build");
  }
  const auto& open = call.who.projects;
  std::string opens = Cat("this token (", Printable(call.who.name), ") opens ",
                          open.size() == 1 ? "project " : "the projects ", Join(open, ", "));
  if (project.empty()) {
    if (open.size() != 1) {
      return Fail(Error(ErrorCode::kInvalid, Cat("which project? ", opens))
                      .WithHint("say it with --project or DEPOT_PROJECT_ID"));
    }
    call.decision.project = open[0];
    return open[0];
  }
  if (std::find(open.begin(), open.end(), project) == open.end()) {
    return Fail(ErrorCode::kDenied,
                Cat("project \"", Printable(project.substr(0, 64)), "\" is forbidden: ", opens));
  }
  return project;
}

}  // namespace depot::service
