#include "pool/service/call.h"

#include <algorithm>

#include "pool/web/connect.h"

#include "driver/base/shown.h"
#include "driver/base/text.h"

namespace depot::service {
namespace {

using web::RpcCode;
using web::RpcError;

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

/// kDenied when the token opens nothing.
Result<Who> Admit(const Parts& parts,
                  const settings::Settings& settings,
                  const web::Request& request,
                  std::int64_t now,
                  const Cancel& cancel) {
  Secret bearer = Bearer(request);
  if (bearer.empty()) {
    return Fail(ErrorCode::kDenied, "no token: the pool wants `Authorization: Bearer TOKEN`");
  }
  if (bearer.Reveal().starts_with(Cat(kBuildTokenPrefix, '_'))) {
    return AdmitBuild(parts, bearer, now);
  }
  TRY_ASSIGN(identity::Caller caller, parts.gate.Admit(settings, bearer, now, cancel));
  return Who{std::move(caller.name), std::move(caller.projects), std::move(caller.admitted_by), {}};
}

/// What AddRpc() and AddDroppedStream() have in common: the call's begin and its end.
class Desk {
 public:
  Desk(const Parts& parts, const web::Request& request) : parts_(parts) {
    call_.settings = parts.settings.Current();
    call_.now = WallClock();
    call_.decision.peer = request.peer;
    call_.decision.what = request.path.substr(request.path.rfind('/') + 1);
  }

  Call& call() { return call_; }

  /// The failure, if the token is none.
  std::optional<RpcError> CheckToken(const web::Request& request, const Cancel& cancel) {
    auto who = Admit(parts_, *call_.settings, request, call_.now, cancel);
    if (who) {
      call_.who = *std::move(who);
      call_.decision.who = call_.who.name;
      return std::nullopt;
    }
    RpcError error = ToRpcError(who.error());
    if (who.error().code() == ErrorCode::kDenied) {
      error.code = RpcCode::kUnauthenticated;
      parts_.metrics.CountRejectedToken();
    }
    return error;
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

web::Answer Refuse(Desk& desk, Rpc::Form form, const RpcError& error) {
  desk.Failed(error);
  return form == Rpc::Form::kUnary ? web::UnaryFailure(error) : web::StreamFailure(error);
}

web::Answer Serve(const Parts& parts,
                  const Rpc& rpc,
                  const web::Request& request,
                  const Cancel& cancel) {
  std::string stream_body;
  Desk desk(parts, request);
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
  if (rpc.admission == Rpc::Admission::kToken) {
    if (auto error = desk.CheckToken(request, cancel)) return Refuse(desk, rpc.form, *error);
  }
  Result<Reply> reply = rpc.method(desk.call());
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

void AddRpc(web::Routes& routes, const Parts& parts, Rpc rpc) {
  std::string path = rpc.path;
  routes.whole[{"POST", path}] = [&parts, rpc = std::move(rpc)](const web::Request& request,
                                                                const Cancel& cancel) {
    return Serve(parts, rpc, request, cancel);
  };
}

void AddDroppedStream(web::Routes& routes, const Parts& parts, const std::string& path) {
  routes.streamed[{"POST", path}] = [&parts](const web::Request& head)
      -> std::variant<web::Response, std::unique_ptr<web::BodyReader>> {
    Desk desk(parts, head);
    if (auto error = desk.CheckToken(head, Cancel::Never())) {
      desk.Failed(*error);
      return web::StreamFailure(*error);
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
  if (call.who.build) {
    if (call.who.build->id != id) return none();
    call.decision.project = call.who.build->project;
    return *call.who.build;
  }
  auto build = parts.records.Find(id);
  if (!build) {
    if (build.error().code() == ErrorCode::kNotFound) return none();
    return build;
  }
  const auto& open = call.who.projects;
  if (std::find(open.begin(), open.end(), build->project) == open.end()) return none();
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

records::Slots::Moment SteadyTime() {
  return std::chrono::duration_cast<records::Slots::Moment>(
      std::chrono::steady_clock::now().time_since_epoch());
}

}  // namespace depot::service
