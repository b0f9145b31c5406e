#include "pool/service/saved_image.h"

#include "proto/depot.pb.h"

#include "driver/base/encode.h"
#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "pool/service/services.h"

namespace depot::service {
namespace {

namespace api = depot::cli::v1;
using records::BuildRecord;

Result<const settings::SaveSettings*> SaveOf(const Call& call, const std::string& project) {
  const settings::ProjectSettings* found = call.settings->FindProject(project);
  if (found != nullptr && found->save) return &*found->save;
  return Fail(
      Error(ErrorCode::kFailed, Cat("project ", project, " has no repository to save images in"))
          .WithHint("the pool's administrator gives it one: `save` in the settings"));
}

/// OCI distribution spec, "Pulling manifests": [a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}.
bool IsTag(std::string_view text) {
  constexpr std::string_view kFirst =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
  return !text.empty() && text.size() <= 128 && kFirst.find(text[0]) != std::string_view::npos &&
         text.find_first_not_of(Cat(kFirst, ".-")) == std::string_view::npos;
}

void AddTag(api::CreateBuildResponse& response, std::string name) {
  for (const auto& tag : response.additional_tags()) {
    if (tag.tag() == name) return;
  }
  api::CreateBuildResponse::Tag& added = *response.add_additional_tags();
  added.set_tag(std::move(name));
  added.set_push(true);
}

/// A saved build that ended well, or one that was not saved at all (`options` say so).
Result<Reply> GetPullInfo(const Parts& parts, Call& call) {
  TRY_ASSIGN(auto request, Decode<api::GetPullInfoRequest>(call));
  TRY_ASSIGN(BuildRecord build, OpenBuild(parts, call, request.build_id()));
  api::CreateBuildRequest kept;
  if (!kept.ParseFromString(build.options)) {
    return Fail(ErrorCode::kInternal, "the record of the build is malformed");
  }
  api::GetPullInfoResponse response;
  response.mutable_options()->Swap(kept.mutable_options());
  if (build.saved) {
    if (build.state != records::State::kSucceeded) {
      return Fail(ErrorCode::kFailed, Cat("build ", build.id, " has no image: it is ",
                                          records::StateName(build.state)));
    }
    TRY_ASSIGN(const settings::SaveSettings* save, SaveOf(call, build.project));
    response.set_reference(Cat(save->repository, ':', build.id));
    response.set_username(save->username);
    response.set_password(std::string(save->password.Reveal()));
  }
  return response.SerializeAsString();
}

Result<Reply> GetPullToken(const Parts& parts, Call& call) {
  TRY_ASSIGN(auto request, Decode<api::GetPullTokenRequest>(call));
  std::string project;
  if (request.has_build_id() || call.who.build) {
    std::string id = request.has_build_id() ? request.build_id() : call.who.build->id;
    TRY_ASSIGN(BuildRecord build, OpenBuild(parts, call, id));
    project = build.project;
  } else {
    TRY_ASSIGN(project, OpenProject(call, request.project_id()));
  }
  TRY_ASSIGN(const settings::SaveSettings* save, SaveOf(call, project));
  api::GetPullTokenResponse response;
  response.set_token(std::string(save->password.Reveal()));
  return response.SerializeAsString();
}

}  // namespace

Result<> AddSavedTags(const Call& call,
                      const BuildRecord& build,
                      const api::BuildOptions& options,
                      api::CreateBuildResponse& response) {
  TRY_ASSIGN(const settings::SaveSettings* save, SaveOf(call, build.project));
  AddTag(response, Cat(save->repository, ':', build.id));
  for (const std::string& tag : options.save_tags()) {
    if (!IsTag(tag)) {
      return Fail(ErrorCode::kInvalid, Cat("\"", Printable(tag.substr(0, 128)), "\" is not a tag"));
    }
    AddTag(response, Cat(save->repository, ':', tag));
  }
  if (save->username.empty() || !response.additional_credentials().empty()) return {};
  api::CreateBuildResponse::Credential& credential = *response.add_additional_credentials();
  credential.set_host(save->repository.substr(0, save->repository.find('/')));
  credential.set_token(Base64(Cat(save->username, ':', save->password.Reveal())));
  return {};
}

void AddSavedImages(web::Routes& routes, const Parts& parts) {
  AddRpc(routes, parts,
         {"/depot.cli.v1.BuildService/GetPullInfo", Rpc::Admission::kToken, Rpc::Form::kUnary,
          [&parts](Call& call) { return GetPullInfo(parts, call); }});
  AddRpc(routes, parts,
         {"/depot.cli.v1.BuildService/GetPullToken", Rpc::Admission::kToken, Rpc::Form::kUnary,
          [&parts](Call& call) { return GetPullToken(parts, call); }});
}

}  // namespace depot::service
