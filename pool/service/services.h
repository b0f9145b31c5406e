#pragma once

#include <memory>
#include <string>
#include <vector>

#include "driver/base/cancel.h"
#include "pool/service/call.h"

namespace depot::service {

/// The RPC services and pages; each adds its routes. What they are given must outlive the routes.

/// depot.cli.v1.BuildService: builds from CreateBuild to FinishBuild, and their list.
void AddBuilds(web::Routes& routes, const Parts& parts);

/// depot.cli.v1.BuildService: a build's way to its builders, and the proof that it is alive.
void AddMachines(web::Routes& routes, const Parts& parts);

/// depot.cli.v1.BuildService: where images of builds with --save lie.
void AddSavedImages(web::Routes& routes, const Parts& parts);

/// depot.cli.v1beta1.ProjectsService.
class ProjectsService {
 public:
  virtual ~ProjectsService() = default;
  virtual void AddTo(web::Routes& routes) = 0;
};
std::unique_ptr<ProjectsService> MakeProjectsService(const Parts& parts);

/// depot.cli.v1beta1.LoginService: device logins.
class LoginService {
 public:
  virtual ~LoginService() = default;
  virtual void AddTo(web::Routes& routes) = 0;
};
std::unique_ptr<LoginService> MakeLoginService(const Parts& parts);

/// /healthz, /livez, /metrics, the page of a build and of a login, and "no" for everything else.
void AddPages(web::Routes& routes, const Parts& parts);

/// `/`, for people with a token and a browser: the fleet's builders, queue and builds.
void AddBoard(web::Routes& routes, const Parts& parts);

/// Ends a build: its slots go to the next ones, and its outcome is kept (see Backlog). False when
/// it is known to have ended before.
Result<bool> EndBuild(const Parts& parts,
                      const std::string& id,
                      records::State state,
                      const std::string& error,
                      std::int64_t now);

/// How to connect to a builder, with this certificate.
Result<builder::Endpoint> EndpointOf(const fleet::FleetBuilder& builder,
                                     const identity::IssuedCertificate& certificate);

/// Which builder a claim has, and why that one: a line for people.
std::string WhyBuilder(const records::Claim& claim);

/// What a claim waits for: a line for people. Of `builders` those are named that it could have,
/// were they up.
std::string WhyItWaits(const records::Waiting& waiting,
                       const std::vector<fleet::FleetBuilder>& builders);

/// Why a build that is told to end has to: a line for people.
std::string WhyItEnds(const records::BuildRecord& build);

/// Whether builds may get it; one that was not reached yet is hoped for.
bool IsGivenAway(const fleet::FleetBuilder& builder);

/// When the build is to be over because somebody cancelled it, or its time is over; 0 = it may go
/// on.
std::int64_t CancelTime(const records::BuildRecord& build, std::int64_t now);

}  // namespace depot::service
