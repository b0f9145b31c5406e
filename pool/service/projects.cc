#include "proto/depot_account.pb.h"

#include "driver/base/text.h"
#include "pool/service/cache_reset.h"
#include "pool/service/services.h"

namespace depot::service {
namespace {

namespace account = depot::cli::v1beta1;

class Projects final : public ProjectsService {
 public:
  explicit Projects(const Parts& parts) : parts_(parts), resets_(parts) {}

  void AddTo(web::Routes& routes) override {
    AddRpc(routes, parts_,
           {"/depot.cli.v1beta1.ProjectsService/ListProjects", Rpc::Admission::kToken,
            Rpc::Form::kUnary, [](Call& call) { return List(call); }});
    AddRpc(routes, parts_,
           {"/depot.cli.v1beta1.ProjectsService/ResetProjectCache", Rpc::Admission::kToken,
            Rpc::Form::kUnary, [this](Call& call) { return ResetCache(call); }});
  }

 private:
  /// Its kTimeout is a builder's: asking again would begin once more.
  static Error AsFailure(const Error& error) {
    if (error.code() != ErrorCode::kTimeout) return error;
    return Error(ErrorCode::kUnavailable, error.message()).WithHint(error.hint());
  }

  static Result<Reply> List(Call& call) {
    if (call.who.build) {
      return Fail(ErrorCode::kDenied, "a build's own token opens nothing but that build");
    }
    account::ListProjectsResponse response;
    for (const std::string& id : call.who.projects) {
      const settings::ProjectSettings* project = call.settings->FindProject(id);
      if (project == nullptr) continue;
      auto& row = *response.add_projects();
      row.set_id(project->id);
      row.set_name(project->name);
      row.set_org_id(project->organization);
      row.set_org_name(project->organization);
    }
    return response.SerializeAsString();
  }

  Result<Reply> ResetCache(Call& call) {
    TRY_ASSIGN(auto request, Decode<account::ResetProjectCacheRequest>(call));
    TRY_ASSIGN(std::string project, OpenProject(call, request.project_id()));
    std::vector<fleet::FleetBuilder> own;
    for (const fleet::FleetBuilder& builder : parts_.fleet.Builders()) {
      const bool is_there = builder.slots > 0;
      if (is_there && builder.projects == std::vector<std::string>{project}) own.push_back(builder);
    }
    if (own.empty()) {
      return Fail(
          Error(ErrorCode::kFailed, Cat("project ", project,
                                        " has no builders of its own: it shares their cache with "
                                        "other projects, which would lose it too"))
              .WithHint(Cat("the pool's administrator gives it its own: `projects: [", project,
                            "]` at a builder")));
    }
    TRY_ASSIGN(std::optional<Result<>> outcome, resets_.Ask(project, own));
    if (!outcome) return web::Later{std::chrono::milliseconds(500)};
    if (!*outcome) return Fail(AsFailure(outcome->error()));
    account::ResetProjectCacheResponse response;
    const settings::ProjectSettings* settings = call.settings->FindProject(project);
    response.set_name(settings == nullptr ? project : settings->name);
    response.set_org_name(settings == nullptr ? "" : settings->organization);
    return response.SerializeAsString();
  }

  const Parts& parts_;
  CacheResets resets_;
};

}  // namespace

std::unique_ptr<ProjectsService> MakeProjectsService(const Parts& parts) {
  return std::make_unique<Projects>(parts);
}

}  // namespace depot::service
