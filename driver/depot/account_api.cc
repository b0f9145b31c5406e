#include "driver/depot/account_api.h"

#include <algorithm>

#include "proto/depot_project.pb.h"
#include "proto/depot_registry.pb.h"

#include "driver/base/shown.h"
#include "driver/depot/calls.h"

namespace depot::api {
namespace {

namespace core = ::depot::core::v1;
namespace build = ::depot::build::v1;

constexpr std::string_view kProjectService = "/depot.core.v1.ProjectService/";
constexpr std::string_view kRegistryService = "/depot.build.v1.RegistryService/";
constexpr int kPageSize = 100;
constexpr std::size_t kMostImages = 100'000;

ProjectDetails ReadProject(const core::Project& project) {
  ProjectDetails details{Printable(project.project_id()), Printable(project.organization_id()),
                         Printable(project.name()),       Printable(project.region_id()),
                         project.created_at().seconds(),  std::nullopt};
  if (project.has_cache_policy()) {
    details.cache =
        CachePolicy{project.cache_policy().keep_bytes(), project.cache_policy().keep_days()};
  }
  return details;
}

void SetPolicy(const CachePolicy& cache, core::CachePolicy& policy) {
  policy.set_keep_bytes(cache.keep_bytes);
  policy.set_keep_days(cache.keep_days);
}

template <typename Answer>
Result<ProjectDetails> ProjectOf(std::string_view method, const Result<Answer>& answer) {
  if (!answer) return Fail(answer.error());
  if (answer->has_project()) return ReadProject(answer->project());
  return Fail(Malformed(method, "has no project"));
}

/// A pool has neither of the services.
template <typename Answer>
Result<Answer> OrInstead(Result<Answer> answer, std::string_view instead) {
  if (answer || answer.error().code() != ErrorCode::kUnsupported) return answer;
  return Fail(std::move(answer).error().WithHint(std::string(instead)));
}

constexpr std::string_view kInPoolYaml =
    "of a pool of your own the projects are in its pool.yaml; list projects shows them";
constexpr std::string_view kInRegistry =
    "a pool of your own saves into a registry (save: of pool.yaml), which lists and removes images "
    "itself; imagetools inspect shows one";

class AccountClient final : public AccountApi {
 public:
  AccountClient(http::HttpClient& client,
                const std::string& base,
                std::function<void(std::string)> say)
      : connect_(client, base, std::move(say), Times()) {}

  Result<ProjectDetails> CreateProject(const Token& token,
                                       const NewProject& project,
                                       const Cancel& cancel) override {
    core::CreateProjectRequest request;
    request.set_name(project.name);
    if (!project.organization_id.empty()) request.set_organization_id(project.organization_id);
    request.set_region_id(project.region);
    SetPolicy(project.cache, *request.mutable_cache_policy());
    return ProjectOf("CreateProject", AskProjects<core::CreateProjectResponse>(
                                          "CreateProject", request, token, Retry::kUndone, cancel));
  }

  Result<ProjectDetails> GetProject(const Token& token,
                                    const std::string& project,
                                    const Cancel& cancel) override {
    core::GetProjectRequest request;
    request.set_project_id(project);
    return ProjectOf("GetProject", AskProjects<core::GetProjectResponse>(
                                       "GetProject", request, token, Retry::kThrice, cancel));
  }

  Result<ProjectDetails> UpdateProject(const Token& token,
                                       const std::string& project,
                                       const ProjectChange& change,
                                       const Cancel& cancel) override {
    core::UpdateProjectRequest request;
    request.set_project_id(project);
    if (change.name) request.set_name(*change.name);
    if (change.region) request.set_region_id(*change.region);
    if (change.cache) SetPolicy(*change.cache, *request.mutable_cache_policy());
    return ProjectOf("UpdateProject", AskProjects<core::UpdateProjectResponse>(
                                          "UpdateProject", request, token, Retry::kUndone, cancel));
  }

  Result<> DeleteProject(const Token& token,
                         const std::string& project,
                         const Cancel& cancel) override {
    core::DeleteProjectRequest request;
    request.set_project_id(project);
    TRY((AskProjects<core::DeleteProjectResponse>("DeleteProject", request, token, Retry::kUndone,
                                                  cancel)));
    return {};
  }

  Result<std::vector<SavedImage>> ListImages(const Token& token,
                                             const std::string& project,
                                             const Cancel& cancel) override {
    std::vector<SavedImage> images;
    build::ListImagesRequest request;
    request.set_project_id(project);
    request.set_page_size(kPageSize);
    while (true) {
      TRY_ASSIGN(auto answer, (AskRegistry<build::ListImagesResponse>("ListImages", request, token,
                                                                      Retry::kThrice, cancel)));
      for (const auto& image : answer.images()) {
        images.push_back({Printable(image.tag()), Printable(image.digest()),
                          image.pushed_at().seconds(), image.size_bytes()});
      }
      const bool more = !answer.next_page_token().empty();
      const bool goes_on = answer.images_size() > 0 && images.size() <= kMostImages &&
                           answer.next_page_token() != request.page_token();
      if (more && !goes_on) return Fail(Malformed("ListImages", "has no end"));
      if (!more) break;
      request.set_page_token(answer.next_page_token());
    }
    std::stable_sort(images.begin(), images.end(), [](const SavedImage& a, const SavedImage& b) {
      return a.pushed_at > b.pushed_at;
    });
    return images;
  }

  Result<> DeleteImages(const Token& token,
                        const std::string& project,
                        const std::vector<std::string>& tags,
                        const Cancel& cancel) override {
    build::DeleteImageRequest request;
    request.set_project_id(project);
    request.mutable_image_tags()->Add(tags.begin(), tags.end());
    TRY((AskRegistry<build::DeleteImageResponse>("DeleteImage", request, token, Retry::kUndone,
                                                 cancel)));
    return {};
  }

 private:
  template <typename Answer, typename Request>
  Result<Answer> AskProjects(std::string_view method,
                             const Request& request,
                             const Token& token,
                             Retry retry,
                             const Cancel& cancel) {
    return OrInstead(
        Ask<Answer>(connect_, kProjectService, method, request, CallerOf(token), {retry, cancel}),
        kInPoolYaml);
  }

  template <typename Answer, typename Request>
  Result<Answer> AskRegistry(std::string_view method,
                             const Request& request,
                             const Token& token,
                             Retry retry,
                             const Cancel& cancel) {
    return OrInstead(
        Ask<Answer>(connect_, kRegistryService, method, request, CallerOf(token), {retry, cancel}),
        kInRegistry);
  }

  ConnectClient connect_;
};

}  // namespace

Result<std::unique_ptr<AccountApi>> MakeAccountApi(http::HttpClient& client,
                                                   std::string url,
                                                   std::function<void(std::string)> say) {
  TRY_ASSIGN(const std::string base, CheckedAddress(std::move(url)));
  return std::make_unique<AccountClient>(client, base, std::move(say));
}

}  // namespace depot::api
