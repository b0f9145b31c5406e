#include <algorithm>
#include <set>

#include "proto/depot.pb.h"

#include "driver/base/steady_time.h"
#include "driver/base/text.h"
#include "pool/service/services.h"

namespace depot::service {
namespace {

namespace api = depot::cli::v1;

/// Beside the machine, the place in the queue or the order to cancel: why, for people.
constexpr const char* kReasonHeader = "Depot-Pool-Reason";

/// Beside the order to cancel: why the build has lost the right to go on, for people.
constexpr const char* kBarredHeader = "Depot-Pool-Barred";

using records::BuildRecord;
using records::State;

Result<std::string> PlatformName(api::BuilderPlatform platform) {
  if (platform == api::BUILDER_PLATFORM_AMD64) return std::string("linux/amd64");
  if (platform == api::BUILDER_PLATFORM_ARM64) return std::string("linux/arm64");
  return Fail(ErrorCode::kInvalid, "the platform is neither amd64 nor arm64");
}

/// How a build ended, for its client.
Error IsOver(const BuildRecord& build) {
  return Error(ErrorCode::kFailed,
               Cat("build ", build.id, " is over: ", records::StateName(build.state),
                   build.error.empty() ? "" : ", ", build.error));
}

Result<> CheckRuns(const BuildRecord& build, const Call& call) {
  // First: it may be over because of that.
  std::string barred = identity::Barred(*call.settings, build.admitted_by, build.project);
  if (!barred.empty()) {
    return Fail(ErrorCode::kDenied, Cat("build ", build.id, " may not go on: ", barred));
  }
  if (build.state != State::kRunning) return Fail(IsOver(build));
  if (build.cancel_at != 0) {
    return Fail(ErrorCode::kFailed,
                Cat("build ", build.id, " was cancelled by the pool's administrator"));
  }
  if (call.now >= build.ends_at) {
    return Fail(ErrorCode::kFailed, Cat("the time of build ", build.id, " is over"));
  }
  return {};
}

Error NoBuilder(const Call& call, const std::string& platform, const std::string& project) {
  std::set<std::string> platforms;
  for (const settings::BuilderSettings& builder : call.settings->builders) {
    if (builder.projects.empty() || std::find(builder.projects.begin(), builder.projects.end(),
                                              project) != builder.projects.end()) {
      platforms.insert(FormatPlatform(builder.platform));
    }
  }
  std::string have = Join({platforms.begin(), platforms.end()}, ", ");
  return Error(ErrorCode::kFailed,
               Cat("the pool has no builder of ", platform, " for project ", project))
      .WithHint(have.empty() ? "it has none at all" : Cat("it has: ", have));
}

Reply Pending(const Parts& parts, Call& call, const records::Waiting& waiting) {
  call.audited = waiting.first;
  call.decision.reason = Cat("waits, position ", waiting.position);
  if (waiting.first) {
    parts.journal.Say(Cat("build ", waiting.claim.build, " waits for ", waiting.claim.platform,
                          ", position ", waiting.position));
  }
  call.headers.emplace_back("Depot-Pool-Queue", Cat("position=", waiting.position));
  call.headers.emplace_back(kReasonHeader, WhyItWaits(waiting, parts.fleet.Builders()));
  api::GetBuildKitConnectionResponse response;
  response.mutable_pending()->set_wait_ms(static_cast<int>(waiting.wait.count()));
  return response.SerializeAsString();
}

Result<Reply> Active(const Parts& parts,
                     Call& call,
                     const BuildRecord& build,
                     const records::Granted& granted) {
  const auto builders = parts.fleet.Builders();
  auto builder = std::find_if(builders.begin(), builders.end(), [&](const auto& known) {
    return known.name == granted.claim.builder;
  });
  if (builder == builders.end()) {
    return Fail(ErrorCode::kUnavailable, "the pool's builders are just being changed");
  }
  call.decision.builder = builder->name;
  call.headers.emplace_back(kReasonHeader, WhyBuilder(granted.claim));
  TRY_ASSIGN(auto authority, parts.authorities.Of(builder->source));
  TRY_ASSIGN(identity::IssuedCertificate issued,
             authority->Issue({builder->source, build.project, build.id},
                              std::chrono::minutes(call.settings->certificate_minutes)));
  if (granted.first) {
    parts.metrics.CountGrant(granted.claim.platform, granted.claim.grounds);
    parts.journal.Say(Cat("build ", build.id, " has ", WhyBuilder(granted.claim)));
  }
  api::GetBuildKitConnectionResponse response;
  auto& active = *response.mutable_active();
  active.set_endpoint(builder->endpoint);
  active.set_server_name(builder->server_name);
  active.mutable_cert()->set_cert(issued.certificate_pem);
  active.mutable_cert()->set_key(std::string(issued.key_pem.Reveal()));
  active.mutable_ca_cert()->set_cert(builder->ca_pem);
  active.mutable_identity();
  return response.SerializeAsString();
}

Result<Reply> GetBuildKitConnection(const Parts& parts, Call& call) {
  TRY_ASSIGN(auto request, Decode<api::GetBuildKitConnectionRequest>(call));
  TRY_ASSIGN(BuildRecord build, OpenBuild(parts, call, request.build_id()));
  TRY_ASSIGN(std::string platform, PlatformName(request.platform()));
  call.decision.platform = platform;
  TRY(CheckRuns(build, call));
  auto answer = parts.slots.Ask(build.id, platform, build.project, SteadyTime());
  if (auto* waiting = std::get_if<records::Waiting>(&answer)) return Pending(parts, call, *waiting);
  if (auto* granted = std::get_if<records::Granted>(&answer)) {
    return Active(parts, call, build, *granted);
  }
  if (auto* none = std::get_if<records::NoAnswer>(&answer)) return Fail(std::move(none->error));
  return Fail(NoBuilder(call, platform, build.project));
}

/// A build that is over through no doing of its client is told so; a client that ended its build
/// itself may still have a report under way, which must not end anything.
Result<Reply> ReportBuildHealth(const Parts& parts, Call& call) {
  TRY_ASSIGN(auto request, Decode<api::ReportBuildHealthRequest>(call));
  TRY_ASSIGN(BuildRecord build, OpenBuild(parts, call, request.build_id()));
  TRY_ASSIGN(std::string platform, PlatformName(request.platform()));
  call.decision.platform = platform;
  std::int64_t cancel = 0;
  if (build.state == State::kRunning) {
    parts.slots.Alive(build.id, platform, SteadyTime());
    cancel = CancelTime(build, call.now);
  } else if (build.state == State::kLost || build.cancel_at != 0) {
    cancel = build.finished_at;
  } else {
    return Fail(IsOver(build));
  }
  call.audited = cancel != 0;
  call.decision.reason = cancel != 0 ? "told to cancel" : "";
  api::ReportBuildHealthResponse response;
  if (cancel != 0) {
    response.mutable_cancels_at()->set_seconds(cancel);
    std::string barred = identity::Barred(*call.settings, build.admitted_by, build.project);
    if (!barred.empty()) call.headers.emplace_back(kBarredHeader, std::move(barred));
    call.headers.emplace_back(kReasonHeader, WhyItEnds(build));
  }
  return response.SerializeAsString();
}

}  // namespace

void AddMachines(web::Routes& routes, const Parts& parts) {
  AddRpc(routes, parts,
         {"/depot.cli.v1.BuildService/GetBuildKitConnection", Rpc::Admission::kToken,
          Rpc::Form::kUnary, [&parts](Call& call) { return GetBuildKitConnection(parts, call); }});
  AddRpc(routes, parts,
         {"/depot.cli.v1.BuildService/ReportBuildHealth", Rpc::Admission::kToken, Rpc::Form::kUnary,
          [&parts](Call& call) { return ReportBuildHealth(parts, call); }});
}

}  // namespace depot::service
