#include "pool/service/cache_reset.h"

#include "driver/base/text.h"
#include "driver/builder/driver.h"
#include "pool/service/services.h"

namespace depot::service {
namespace {

constexpr std::chrono::minutes kLongestReset(8);

/// An outcome that nobody has asked for within this time is of a client that went away.
constexpr std::chrono::seconds kOutcomeKept(30);

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

std::optional<Result<>> CacheResets::Ask(const std::string& project,
                                         const std::vector<fleet::FleetBuilder>& builders) {
  std::lock_guard lock(mutex_);
  auto found = resets_.find(project);
  if (found != resets_.end()) {
    Reset& reset = found->second;
    if (!reset.outcome) return std::nullopt;
    bool fresh = std::chrono::steady_clock::now() - reset.ended < kOutcomeKept;
    std::optional<Result<>> outcome = std::move(reset.outcome);
    resets_.erase(found);
    if (fresh) return outcome;
  }
  Reset& reset = resets_[project];
  reset.thread = std::make_unique<TaskGroup>(Cancel::Never());
  reset.thread->Start("cache-reset", [this, project, builders](const Cancel& cancel) -> Result<> {
    Result<> outcome =
        Run(project, builders, cancel.WithTimeout(kLongestReset, "emptying the cache"));
    std::lock_guard done(mutex_);
    resets_[project].ended = std::chrono::steady_clock::now();
    resets_[project].outcome = std::move(outcome);
    return {};
  });
  return std::nullopt;
}

Result<> CacheResets::Run(const std::string& project,
                          const std::vector<fleet::FleetBuilder>& builders,
                          const Cancel& cancel) {
  for (const fleet::FleetBuilder& builder : builders) {
    TRY_ASSIGN(identity::CertificateAuthority * authority, parts_.authorities.Of(builder.source));
    TRY_ASSIGN(identity::IssuedCertificate certificate,
               authority->Issue({builder.source, project, ""}, kLongestReset));
    parts_.journal.Say(Cat("emptying the cache of builder ", builder.name));
    TRY(Prune(builder, certificate, cancel));
  }
  return {};
}

}  // namespace depot::service
