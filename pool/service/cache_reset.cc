#include "pool/service/cache_reset.h"

#include "driver/base/text.h"
#include "driver/builder/driver.h"
#include "pool/service/services.h"

namespace depot::service {
namespace {

constexpr std::chrono::minutes kLongestReset(8);

/// Others begin anew when they hear nothing of it for 15 s.
constexpr std::chrono::seconds kReportEvery(4);

/// PruneRequest{all: true} (BuildKit api/services/control/control.proto: bool all = 2).
constexpr std::string_view kPruneAll = "\x10\x01";

/// What a connection has to say goes to the log, as part of an error, or nowhere.
class SilentSink final : public EventSink {
 public:
  void Emit(Event) override {}
};

Result<> Prune(const fleet::FleetBuilder& builder,
               const identity::IssuedCertificate& certificate,
               const Cancel& cancel) {
  TRY_ASSIGN(builder::Endpoint endpoint, EndpointOf(builder, certificate));
  SilentSink sink;
  TRY_ASSIGN(auto held,
             builder::MakeRemoteDriver(std::move(endpoint))->Acquire(std::nullopt, sink, cancel));
  auto call = held->channel().Start("/moby.buildkit.v1.Control/Prune", {});
  rpc::BytesList message;
  message.push_back(rpc::Bytes(std::string(kPruneAll)));
  TRY(call->Write(std::move(message), cancel));
  call->CloseWrites();
  while (true) {
    TRY_ASSIGN(auto record, call->Read(cancel));
    if (!record) break;
  }
  rpc::Status status = call->Finish(cancel);
  if (status.ok()) return {};
  return Fail(rpc::ToError(status).While(Cat("builder ", builder.name)));
}

}  // namespace

Result<builder::Endpoint> EndpointOf(const fleet::FleetBuilder& builder,
                                     const identity::IssuedCertificate& certificate) {
  TRY_ASSIGN(builder::Endpoint endpoint,
             builder::ParseEndpoint(builder.endpoint, {}, Cancel::Never()));
  endpoint.tls = true;
  endpoint.tls_options.server_name = builder.server_name;
  endpoint.tls_options.ca_pem = builder.ca_pem;
  endpoint.tls_options.certificate_pem = certificate.certificate_pem;
  endpoint.tls_options.key_pem = certificate.key_pem;
  endpoint.tls_options.alpn = "h2";
  return endpoint;
}

Result<std::optional<Result<>>> CacheResets::Ask(const std::string& project,
                                                 const std::vector<fleet::FleetBuilder>& builders) {
  {
    std::lock_guard lock(mutex_);
    auto found = running_.find(project);
    if (found != running_.end() && !found->second.ended) return std::nullopt;
    running_.erase(project);
  }
  TRY_ASSIGN(records::ResetNews news, parts_.records.AskReset(project, runner_, WallClock()));
  if (news.kind == records::ResetNews::Kind::kEnded) {
    std::optional<Result<>> outcome = Result<>();
    if (news.failure) outcome = Fail(*std::move(news.failure));
    return outcome;
  }
  if (news.kind == records::ResetNews::Kind::kBegin) Begin(project, builders);
  return std::nullopt;
}

void CacheResets::Begin(const std::string& project,
                        const std::vector<fleet::FleetBuilder>& builders) {
  std::lock_guard lock(mutex_);
  auto [place, added] = running_.try_emplace(project);
  if (!added) return;
  Reset& reset = place->second;
  reset.threads = std::make_unique<TaskGroup>(Cancel::Never());
  TaskGroup& threads = *reset.threads;
  threads.Start("cache-reset", [this, &reset, &threads, project, builders](const Cancel& cancel) {
    Result<> outcome =
        Run(project, builders, cancel.WithTimeout(kLongestReset, "emptying the cache"));
    threads.Stop(Error(ErrorCode::kCancelled, "done"));
    Report(project, outcome);
    std::lock_guard done(mutex_);
    reset.ended = true;
    return Result<>();
  });
  threads.Start("reset-reports", [this, project](const Cancel& cancel) -> Result<> {
    while (cancel.SleepFor(kReportEvery))
      Report(project, std::nullopt);
    return {};
  });
}

void CacheResets::Report(const std::string& project, const std::optional<Result<>>& ended) {
  Result<> reported = parts_.backlog.Do([this, project, ended] {
    return parts_.records.ReportReset(project, runner_, ended, WallClock());
  });
  if (!reported) parts_.journal.Say(Cat("cache reset: ", reported.error().message()));
}

Result<> CacheResets::Run(const std::string& project,
                          const std::vector<fleet::FleetBuilder>& builders,
                          const Cancel& cancel) {
  for (const fleet::FleetBuilder& builder : builders) {
    TRY_ASSIGN(auto authority, parts_.authorities.Of(builder.source));
    TRY_ASSIGN(identity::IssuedCertificate certificate,
               authority->Issue({builder.source, project, ""}, kLongestReset));
    parts_.journal.Say(Cat("emptying the cache of builder ", builder.name));
    TRY(Prune(builder, certificate, cancel));
  }
  return {};
}

}  // namespace depot::service
