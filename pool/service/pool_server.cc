#include "pool/service/pool_server.h"

#include "driver/base/steady_time.h"
#include "driver/base/text.h"
#include "driver/http/client.h"
#include "pool/records/shared_slots.h"
#include "pool/records/store.h"
#include "pool/service/call.h"
#include "pool/service/services.h"
#include "pool/service/upkeep.h"
#include "pool/settings/durable_file.h"
#include "pool/web/listener.h"

namespace depot::service {
namespace {

constexpr std::chrono::seconds kConnectTimeout(5);

/// The pool itself on its way to a builder: that is all the certificate is for.
constexpr std::chrono::minutes kOwnCertificate(5);
constexpr const char* kOwnProject = "pool";

std::vector<records::BuilderSlots> SlotsOf(const std::vector<fleet::FleetBuilder>& builders) {
  std::vector<records::BuilderSlots> slots;
  for (const fleet::FleetBuilder& builder : builders) {
    slots.push_back({builder.name, FormatPlatform(builder.platform), builder.slots,
                     builder.projects, builder.cache});
  }
  return slots;
}

Result<builder::Endpoint> WayTo(identity::BuilderAuthorities& authorities,
                                const fleet::FleetBuilder& builder) {
  TRY_ASSIGN(auto authority, authorities.Of(builder.source));
  TRY_ASSIGN(identity::IssuedCertificate issued,
             authority->Issue({builder.source, kOwnProject, ""}, kOwnCertificate));
  return EndpointOf(builder, issued);
}

/// Members are in the order in which they need each other: the server ends first.
class RunningPool final : public PoolServer {
 public:
  RunningPool(PoolOptions options,
              std::string stamp,
              settings::Settings settings,
              records::Store store)
      : journal_(std::move(options.audit), std::move(options.log)),
        settings_(std::move(options.settings_file),
                  std::move(stamp),
                  std::move(settings),
                  journal_,
                  metrics_),
        http_(http::MakeCurlClient(
            Cat("depot-pool/", options.version), kConnectTimeout, std::move(options.system_roots))),
        gate_(identity::MakeGate(*http_)),
        store_(std::move(store)),
        authorities_(settings_.Current()->state) {}

  std::uint16_t port() const override { return server_->port(); }

  Result<> Start() {
    auto settings = settings_.Current();
    // What is wrong with one is said now rather than to a build.
    for (const settings::BuilderSettings& builder : settings->builders)
      TRY(authorities_.Of(builder.name));
    Configure(*settings);
    settings_.OnChange([this](const settings::Settings& changed) { Configure(changed); });
    TRY(Restore());
    if (parts_.shared) {
      TRY_ASSIGN(auto tokens, store_.records->Tokens());
      settings_.SetStored(std::move(tokens));
    }
    web::Routes routes;
    AddBuilds(routes, parts_);
    AddMachines(routes, parts_);
    AddSavedImages(routes, parts_);
    projects_->AddTo(routes);
    logins_->AddTo(routes);
    AddPages(routes, parts_);
    AddBoard(routes, parts_);
    routes.turned_away = [this](std::string_view what) { metrics_.CountTurnedAway(what); };
    TRY_ASSIGN(web::ServerTls tls, ReadTls(*settings));
    web::Limits limits;
    for (const std::string& proxy : settings->proxies) {
      if (auto peer = web::ParsePeer(proxy)) limits.proxies.insert(peer->address);
    }
    TRY_ASSIGN(server_, web::StartServer(settings->listen, tls, routes, limits));
    upkeep_->Start(*server_);
    journal_.Say(Cat("serving ", settings->url, " on port ", server_->port(), " with ",
                     settings->builders.size(), " builders"));
    return {};
  }

 private:
  void Configure(const settings::Settings& settings) {
    std::map<std::string, int> weights;
    std::map<std::string, int> limits;
    for (const settings::ProjectSettings& project : settings.projects) {
      weights[project.id] = project.weight;
      if (project.limit > 0) limits[project.id] = project.limit;
    }
    slots_->SetWeights(std::move(weights));
    slots_->SetLimits(std::move(limits));
    slots_->SetHomes({std::chrono::seconds(settings.home_wait_seconds), settings.home_passes});
    fleet_->Configure(settings.builders);
  }

  void TakeFleet(const std::vector<fleet::FleetBuilder>& builders) {
    slots_->Configure(SlotsOf(builders));
    for (const fleet::FleetBuilder& builder : builders)
      slots_->SetUp(builder.name, IsGivenAway(builder));
  }

  fleet::Surroundings Surroundings() {
    return {[this](const auto& builder) { return WayTo(authorities_, builder); },
            [this](const std::string& builder) { return slots_->InUse(builder) > 0; },
            [this](const auto& builders) { TakeFleet(builders); },
            [this](const std::string& line) { journal_.Say(line); }};
  }

  std::unique_ptr<records::Slots> MakeSlots() {
    if (store_.database != nullptr) {
      return records::MakeSharedSlots(*store_.database,
                                      [this](const std::string& line) { journal_.Say(line); });
    }
    return records::MakeSlots({[this](const records::Claim& claim) { StoreClaim(claim); },
                               [this](const records::Claim& claim) { RemoveClaim(claim); }});
  }

  /// A claim that is not stored costs its place after a restart, not more: the build goes on.
  void StoreClaim(records::Claim claim) {
    claim.asked_at = WallClock();
    claim.granted_at = claim.builder.empty() ? 0 : claim.asked_at;
    KeepClaim([this, claim] { return store_.records->StoreClaim(claim); });
  }

  void RemoveClaim(const records::Claim& claim) {
    KeepClaim([this, claim] { return store_.records->RemoveClaim(claim); });
  }

  void KeepClaim(Backlog::Write write) {
    Result<> kept = backlog_.Do(std::move(write));
    if (!kept) journal_.Say(Cat("queue: ", kept.error().message()));
  }

  /// What ran before goes on, with time to report.
  Result<> Restore() {
    TRY(slots_->Refresh());
    TRY_ASSIGN(auto running, store_.records->Running());
    TRY_ASSIGN(auto claims, store_.records->OpenClaims());
    for (const records::BuildRecord& build : running)
      slots_->Begin(build.id, SteadyTime());
    for (const records::Claim& claim : claims)
      slots_->Restore(claim, SteadyTime());
    if (!running.empty()) journal_.Say(Cat(running.size(), " builds go on from before"));
    return {};
  }

  Journal journal_;
  Metrics metrics_;
  LiveSettings settings_;
  std::unique_ptr<http::HttpClient> http_;
  std::unique_ptr<identity::Gate> gate_;
  records::Store store_;
  identity::BuilderAuthorities authorities_;
  Backlog backlog_;
  std::unique_ptr<records::Slots> slots_ = MakeSlots();
  std::unique_ptr<fleet::Fleet> fleet_ = fleet::MakeFleet(Surroundings());
  Parts parts_{settings_, *gate_,  authorities_, *store_.records, backlog_,
               *slots_,   *fleet_, journal_,     metrics_,        store_.database != nullptr};
  std::unique_ptr<ProjectsService> projects_ = MakeProjectsService(parts_);
  std::unique_ptr<LoginService> logins_ = MakeLoginService(parts_);
  std::unique_ptr<web::Server> server_;
  std::unique_ptr<Upkeep> upkeep_ = std::make_unique<Upkeep>(parts_);
};

}  // namespace

Result<std::unique_ptr<PoolServer>> StartPool(PoolOptions options) {
  std::string stamp = settings::FileStamp(options.settings_file);
  TRY_ASSIGN(settings::Settings settings, settings::ReadSettings(options.settings_file));
  TRY_ASSIGN(auto store, records::OpenServerStore(settings));
  auto pool = std::make_unique<RunningPool>(std::move(options), std::move(stamp),
                                            std::move(settings), std::move(store));
  Result<> started = pool->Start();
  if (!started) return Fail(std::move(started).error());
  return pool;
}

}  // namespace depot::service
